// SPDX-License-Identifier: GPL-2.0

//! Multiples of the base point for [`super::point`], made by a script:
//!
//! entry `i - 1` of table `j` is `2^(16 j) (i_0 + i_1 2^64 + i_2 2^128 + i_3 2^192) G`, with `i_n`
//! the bits of `i`; affine coordinates in Montgomery form.

#[rustfmt::skip]
pub(super) static COMB: [[[[u64; 4]; 2]; 15]; 4] = [
    [
        [
            [0x79e7_30d4_18a9_143c, 0x75ba_95fc_5fed_b601, 0x79fb_732b_7762_2510, 0x1890_5f76_a537_55c6],
            [0xddf2_5357_ce95_560a, 0x8b4a_b8e4_ba19_e45c, 0xd2e8_8688_dd21_f325, 0x8571_ff18_2588_5d85],
        ],
        [
            [0x4f92_2fc5_16a0_d2bb, 0x0d5c_c16c_1a62_3499, 0x9241_cf3a_57c6_2c8b, 0x2f5e_6961_fd1b_667f],
            [0x5c15_c70b_f5a0_1797, 0x3d20_b44d_6095_6192, 0x0491_1b37_071f_db52, 0xf648_f916_8d6f_0f7b],
        ],
        [
            [0x9e56_6847_e137_bbbc, 0xe434_469e_8a6a_0bec, 0xb1c4_2761_79d7_3463, 0x5abe_0285_133d_0015],
            [0x92aa_837c_c04c_7dab, 0x573d_9f4c_4326_0c07, 0x0c93_1562_78e6_cc37, 0x94bb_725b_6b6f_7383],
        ],
        [
            [0x62a8_c244_bfe2_0925, 0x91c1_9ac3_8fdc_e867, 0x5a96_a5d5_dd38_7063, 0x61d5_87d4_21d3_24f6],
            [0xe876_73a2_a371_73ea, 0x2384_8008_5377_8b65, 0x10f8_441e_05ba_b43e, 0xfa11_fe12_4621_efbe],
        ],
        [
            [0x1c89_1f2b_2cb1_9ffd, 0x01ba_8d5b_b192_3c23, 0xb6d0_3d67_8ac5_ca8e, 0x586e_b04c_1f13_bedc],
            [0x0c35_c6e5_27e8_ed09, 0x1e81_a33c_1819_ede2, 0x278f_d6c0_56c6_52fa, 0x19d5_ac08_7086_4f11],
        ],
        [
            [0x6257_7734_d2b5_33d5, 0x673b_8af6_a1bd_ddc0, 0x577e_7c9a_a79e_c293, 0xbb6d_e651_c3b2_66b1],
            [0xe7e9_303a_b652_59b3, 0xd6a0_afd3_d03a_7480, 0xc5ac_83d1_9b3c_fc27, 0x60b4_619a_5d18_b99b],
        ],
        [
            [0xbd6a_38e1_1ae5_aa1c, 0xb8b7_652b_49e7_3658, 0x0b13_0014_ee5f_87ed, 0x9d0f_27b2_aeeb_ffcd],
            [0xca92_4631_7a73_0a55, 0x9c95_5b2f_ddbb_c83a, 0x07c1_dfe0_ac01_9a71, 0x244a_566d_356e_c48d],
        ],
        [
            [0x56f8_410e_f4f8_b16a, 0x9724_1afe_c47b_266a, 0x0a40_6b8e_6d9c_87c1, 0x803f_3e02_cd42_ab1b],
            [0x7f03_09a8_04db_ec69, 0xa83b_85f7_3bba_d05f, 0xc609_7273_ad8e_197f, 0xc097_440e_5067_adc1],
        ],
        [
            [0x846a_56f2_c379_ab34, 0xa8ee_068b_841d_f8d1, 0x2031_4459_176c_68ef, 0xf1af_32d5_915f_1f30],
            [0x99c3_7531_5d75_bd50, 0x837c_ffba_f72f_67bc, 0x0613_a418_48d7_723f, 0x23d0_f130_e2d4_1c8b],
        ],
        [
            [0xed93_e225_d5be_5a2b, 0x6fe7_9983_5934_f3c6, 0x4314_0926_2262_6ffc, 0x50bb_b4d9_7990_216a],
            [0x3781_91c6_e57e_c63e, 0x6542_2c40_181d_cdb2, 0x41a8_099b_0236_e0f6, 0x2b10_0118_01fe_49c3],
        ],
        [
            [0xfc68_b5c5_9b39_1593, 0xc385_f5a2_5982_70fc, 0x7144_f3aa_d19a_dcbb, 0xdd55_8999_83fb_ae0c],
            [0x93b8_8b8e_74b8_2ff4, 0xd2e0_3c40_71e7_34c9, 0x9a7a_9eaf_43c0_322a, 0xe6e4_c551_149d_6041],
        ],
        [
            [0x5fe1_4bfe_80ec_21fe, 0xf6ce_116a_c255_be82, 0x98bc_5a07_2f4a_5d67, 0xfad2_7148_db7e_63af],
            [0x90c0_b6ac_29ab_05b3, 0x37a9_a83c_4e25_1ae6, 0x0a7d_c875_c2aa_de7d, 0x7738_7de3_9f0e_1a84],
        ],
        [
            [0x1e9e_cc49_a56c_0dd7, 0xa5cf_fcd8_4608_6c74, 0x8f7a_1408_f505_aece, 0xb37b_85c0_bef0_c47e],
            [0x3596_b6e4_cc0e_6a8f, 0xfd6d_4bbf_6b38_8f23, 0xaba4_53fa_c39c_ef4e, 0x9c13_5ac8_f9f6_28d5],
        ],
        [
            [0x0a1c_7294_95c8_f8be, 0x2961_c480_3bf3_62bf, 0x9e41_8403_df63_d4ac, 0xc109_f9cb_91ec_e900],
            [0xc2d0_95d0_5894_5705, 0xb908_3d96_ddeb_85c0, 0x8469_2b8d_7a40_449b, 0x9bc3_344f_2eee_1ee1],
        ],
        [
            [0x0d5a_e356_4291_3074, 0x5549_1b27_48a5_42b1, 0x469c_a665_b310_732a, 0x2959_1d52_5f1a_4cc1],
            [0xe76f_5b6b_b84f_983f, 0xbe7e_ef41_9f5f_84e1, 0x1200_d496_80ba_a189, 0x6376_551f_18ef_332c],
        ],
    ],
    [
        [
            [0x0f01_65fc_e377_9ee3, 0xe00e_7f9d_bd49_5d9e, 0x1fa4_efa2_2028_4e7a, 0x4564_bade_47ac_6219],
            [0x90e6_312a_c470_8e8e, 0x4f57_25fb_a71e_9adf, 0xe95f_55ae_3d68_4b9f, 0x47f7_ccb1_1e94_b415],
        ],
        [
            [0xe405_0f1c_f1c3_67ca, 0x9bc8_5a9b_c90f_bc7d, 0xa373_c4a2_e1a1_1032, 0xb642_32b7_ad03_93a9],
            [0xf557_7eb0_167d_ad29, 0x1604_f301_94b7_8ab2, 0x0baa_94af_e829_348b, 0x77fb_d8dd_4165_4342],
        ],
        [
            [0xf74b_5ee5_b656_59b6, 0x58d2_7206_0de6_51de, 0x9a06_f93c_5863_5522, 0x1741_dc84_b51b_7153],
            [0xd74e_2f48_5e3b_1cf2, 0x71f6_a8e9_f288_6a41, 0x0f71_9872_034d_98f3, 0xee79_2e37_bca2_89a6],
        ],
        [
            [0x8053_1fe1_c63c_4962, 0x5054_1e89_981f_db25, 0xdc12_91a1_fd4c_2b6b, 0xc069_3a17_a6df_4fca],
            [0xb2c4_604e_0117_f203, 0x245f_1963_0a99_b8d0, 0xaedc_20aa_c621_2c44, 0xb1ed_4e56_520f_52a8],
        ],
        [
            [0x9da0_3662_9673_d875, 0x47c5_ce72_3335_f166, 0x24e8_92e3_54e5_8c2d, 0x0722_8f01_3884_5a00],
            [0xff9f_34a2_2f88_55a7, 0xf7d6_d205_c4e3_07fc, 0xbcd4_25e2_3455_bb93, 0xd7cb_b02c_6d96_414f],
        ],
        [
            [0x19b3_edb4_5e6b_555b, 0x958c_797e_fd18_da56, 0x22dd_3354_e98f_9273, 0x8421_2234_09cb_54d9],
            [0xe39c_a71d_7a64_02ba, 0x822d_787c_9378_f1de, 0xaaf8_52d0_2bea_a75d, 0xd8af_72b4_510f_c33a],
        ],
        [
            [0xe4de_6bd8_583f_402b, 0xede9_4383_b348_1fdb, 0x9240_56d7_48d0_8e35, 0x8e34_9069_eabd_2ecc],
            [0x7b33_363c_e0d6_7374, 0x70e4_1945_2d8c_05eb, 0xb78a_5b35_82d2_ba0a, 0x8490_d830_e005_d3e7],
        ],
        [
            [0x75d9_bc15_adf7_cccf, 0x81a3_e5d6_dfa1_e1b0, 0x8c39_e444_249b_c17e, 0xf37d_ccb2_8ea7_fd43],
            [0xda65_4873_907f_ba12, 0x35da_a6da_4a37_2904, 0x0564_cfc6_6283_a6c5, 0xd09f_a4f6_4a93_95bf],
        ],
        [
            [0x7b2c_19d8_444a_73f6, 0xc88f_4ce4_6fee_e88a, 0x9a1f_7a70_d431_d8d2, 0xae04_2119_c1b2_5749],
            [0x467b_64ce_45b9_ddf1, 0x45df_2010_689f_927b, 0xc874_c671_01d1_2b64, 0xc4ac_a24d_d4df_95fe],
        ],
        [
            [0xc660_550e_7323_25c7, 0xd4d1_2681_e3fe_0994, 0xffcf_e8ed_ecfd_8b7c, 0x858b_5225_308e_65b4],
            [0x9523_f8b4_dc16_2423, 0x8950_7a80_2427_1a6b, 0xb4d2_eaf6_658d_58c5, 0x80e7_ba28_b9c2_05ed],
        ],
        [
            [0x46c0_6395_3c52_ebb9, 0x7333_d509_d02f_1e43, 0x2d6b_41fd_b79c_a51f, 0xb3b3_d1dd_2381_7a73],
            [0x1fde_ddb4_1cf9_76a4, 0x4be0_fc0f_97b7_bac8, 0x1e63_8fd1_a784_d816, 0xfa4e_af60_e439_bf08],
        ],
        [
            [0x8cb0_c4ac_5fca_6ff1, 0x9da5_06c2_4b60_7037, 0x46e8_92ab_0db2_5734, 0x115f_d8de_dffb_31b0],
            [0xd913_5992_c90e_aaae, 0xb41e_eaa6_eebf_8578, 0xcb24_be1e_7a38_9c05, 0x2997_1d57_b180_9587],
        ],
        [
            [0x078a_14ba_418e_f20c, 0x6a4c_d780_824b_a43d, 0xe744_7778_c442_ac87, 0x1c47_2aca_d8bb_a232],
            [0xb45c_362f_4423_7888, 0x7b2c_1676_84ef_1c00, 0x1e9f_3c99_4500_185c, 0x8122_fdd0_cfb1_3db4],
        ],
        [
            [0xe96e_5c93_6eff_12e1, 0x0abc_c1da_25e3_1583, 0xc844_e8cc_dc95_f5f9, 0x5a88_6b1b_301f_27cf],
            [0x845d_7086_b7b3_85f0, 0x8d1c_658c_0509_0238, 0xcdd1_b2a6_2c07_960b, 0xef90_2dcc_ee15_1588],
        ],
        [
            [0x85ff_4f35_0fea_91e5, 0x3295_4682_af91_bda6, 0xfe1f_173d_8eea_afca, 0x5bad_ab63_2da4_161b],
            [0x2107_bc51_bf84_e659, 0xf436_8698_ad86_caa0, 0x84ad_8cf4_6e9f_be0e, 0xf7f1_34ad_b45a_2551],
        ],
    ],
    [
        [
            [0x2028_8602_4147_519a, 0xd098_1eac_26b3_72f0, 0xa9d4_a7ca_a785_ebc8, 0xd953_c50d_dbdf_58e9],
            [0x9d63_61cc_fd59_0f8f, 0x72e9_626b_44e6_c917, 0x7fd9_6110_22eb_64cf, 0x863e_bb7e_9eb2_88f3],
        ],
        [
            [0x4fe7_ee31_b0e6_3d34, 0xf460_0572_a9e5_4fab, 0xc049_3334_d5e7_b5a4, 0x8589_fb92_06d5_4831],
            [0xaa70_f5cc_6583_553a, 0x0879_094a_e256_49e5, 0xcc90_4507_1004_4652, 0xebb0_696d_0254_1c4f],
        ],
        [
            [0xabba_a0c0_3b89_da99, 0xa6f2_d79e_b828_4022, 0x2784_7862_b81c_05e8, 0x337a_4b59_05e5_4d63],
            [0x3c67_500d_21f7_794a, 0x2070_05b7_7d6d_7f61, 0x0a5a_3781_04cf_d6e8, 0x0d65_e0d5_f4c2_fbd6],
        ],
        [
            [0xd433_e50f_6d35_49cf, 0x6f33_696f_facd_665e, 0x695b_fdac_ce11_fcb4, 0x810e_e252_af7c_9860],
            [0x6545_0fe1_7159_bb2c, 0xf7df_bebe_758b_357b, 0x2b05_7e74_d69f_ea72, 0xd485_717a_9273_1745],
        ],
        [
            [0xce1f_69bb_e83f_7669, 0x09f8_ae82_7287_7d6b, 0x9548_ae54_3244_278d, 0x2077_55de_e3c2_c19c],
            [0x87bd_61d9_6fef_1945, 0x1881_3cef_b12d_28c3, 0x9fbc_d1d6_72df_64aa, 0x48dc_5ee5_7154_b00d],
        ],
        [
            [0xef0f_469e_f49a_3154, 0x3e85_a595_6e2b_2e9a, 0x45aa_ec1e_aa92_4a9c, 0xaa12_dfc8_a09e_4719],
            [0x26f2_7227_4df6_9f1d, 0xe0e4_c82c_a2ff_5e73, 0xb9d8_ce73_b7a9_dd44, 0x6c03_6e73_e48c_a901],
        ],
        [
            [0xe1e4_21e1_a471_53f0, 0xb86c_3b79_9204_18c9, 0x93bd_ce87_705d_7672, 0xf25a_e793_cab7_9a77],
            [0x1f31_94a3_6d86_9d0c, 0x9d55_c882_4986_c264, 0x49fb_5ea3_096e_945e, 0x39b8_e653_13db_0a3e],
        ],
        [
            [0xe341_7bc0_35d0_b34a, 0x440b_386b_8327_c0a7, 0x8fb7_262d_ac03_62d1, 0x2c41_114c_e0cd_f943],
            [0x2ba5_cef1_ad95_a0b1, 0xc09b_37a8_67d5_4362, 0x26d6_cdd2_01e4_86c9, 0x2047_7abf_42ff_9297],
        ],
        [
            [0x0f12_1b41_bc0a_67d2, 0x62d4_760a_444d_248a, 0x0e04_4f1d_659b_4737, 0x08fd_e365_250b_b4a8],
            [0xacee_c3da_848b_f287, 0xc2a6_2182_d336_9d6e, 0x3582_dfdc_9244_9482, 0x2f7e_2fd2_565d_6cd7],
        ],
        [
            [0x0a01_22b5_178a_876b, 0x51ff_96ff_0851_04b4, 0x050b_31ab_14f2_9f76, 0x84ab_b28b_5f87_d4e6],
            [0xd5ed_439f_8270_790a, 0x2d6c_b59d_85e3_f46b, 0x75f5_5c1b_6c1e_2212, 0xe543_6f67_1765_5640],
        ],
        [
            [0xc296_5ecc_9aeb_596d, 0x01ea_03e7_023c_92b4, 0x4704_b4b6_2e01_3961, 0x0ca8_fd3f_905e_a367],
            [0x9252_3a42_551b_2b61, 0x1eb7_a89c_390f_cd06, 0xe7f1_d2be_0392_a63e, 0x96dc_a264_4ddb_0c33],
        ],
        [
            [0x231c_210e_1533_9848, 0xe87a_28e8_7077_8c8d, 0x9d1d_e661_6956_e170, 0x4ac3_c938_2bb0_9c0b],
            [0x19be_0551_6998_987d, 0x8b23_76c4_ae09_f4d6, 0x1de0_b765_1a3f_933d, 0x380d_94c7_e397_05f4],
        ],
        [
            [0x3685_954b_8c31_c31d, 0x6853_3d00_5bf2_1a0c, 0x0bd7_626e_75c7_9ec9, 0xca17_7547_42c6_9d54],
            [0xcc6e_daff_f6d2_dbb2, 0xfd0d_8cbd_174a_9d18, 0x875e_8793_aa45_78e8, 0xa976_a713_9cab_2ce6],
        ],
        [
            [0xce37_ab11_b43e_a1db, 0x0a7f_f1a9_5259_d292, 0x851b_0221_8f84_f186, 0xa722_2bea_defa_ad13],
            [0xa2ac_78ec_2b0a_9144, 0x5a02_4051_f2fa_59c5, 0x91d1_eca5_6147_ce38, 0xbe94_d523_bc2a_c690],
        ],
        [
            [0x2d8d_aefd_79ec_1a0f, 0x3bbc_d6fd_ceb3_9c97, 0xf557_5ffc_58f6_1a95, 0xdbd9_86c4_adf7_b420],
            [0x81aa_8814_15f3_9eb7, 0x6ee2_fcf5_b98d_976c, 0x5465_475d_cf2f_717d, 0x8e24_d3c4_6860_bbd0],
        ],
    ],
    [
        [
            [0xcc7a_6488_0a75_0c0f, 0x39ba_cfe3_4e54_8e83, 0x3d41_8c76_0c11_0f05, 0x3e4d_aa4c_b1f1_1588],
            [0x2733_e7b5_5ffc_69ff, 0x46f1_47bc_9205_3127, 0x885b_2434_d722_df94, 0x6a44_4f65_e6fc_6b7c],
        ],
        [
            [0x8ce9_b6bf_c360_e25a, 0xe642_5195_075a_1a78, 0x9dc7_56a8_4817_32f4, 0x83c0_440f_5432_b57a],
            [0xc670_b3f1_d720_281f, 0x2205_910e_d135_e051, 0xded1_4b0e_db05_2be7, 0x697b_3d27_c568_ea39],
        ],
        [
            [0x4516_b5b8_b788_1c8b, 0xcfe7_43c6_9a58_25b4, 0x3d5b_8b06_c24e_3024, 0x31c1_a413_cf8c_9326],
            [0x5e6e_ee84_b632_ae3b, 0xdfb7_eb6b_2bd4_8b14, 0x6a65_1529_9a72_61e9, 0x996b_358d_aa69_133c],
        ],
        [
            [0xb81d_783e_979f_3925, 0x1efd_130a_af4c_89a7, 0x525c_2144_fd1b_f7fa, 0x4b29_6904_1b26_5a9e],
            [0xed8e_9634_b9db_65b6, 0x35c8_2e32_0359_9d8a, 0xdaa7_a54f_4035_63f3, 0x9df0_88ad_022c_38ab],
        ],
        [
            [0x396b_8d04_7025_aa01, 0xa98b_2ce9_e23e_9595, 0x9769_e7c8_20bb_29f4, 0x2377_8ebb_201a_51a5],
            [0x653f_f433_a9b8_10a4, 0x0177_73dc_66f2_69a7, 0xbce2_ae82_129a_e800, 0x3234_5151_5131_7d6b],
        ],
        [
            [0x39a3_bd51_f67a_99fa, 0x6344_1f7c_ba72_c87f, 0xcc3f_c76f_7451_25ca, 0x670e_00c6_9c68_6d78],
            [0xa35c_29f9_a027_7d6d, 0x078b_adcf_3e44_3178, 0x1ca0_1d3f_5d1c_6e16, 0x2375_1c99_fc89_34cf],
        ],
        [
            [0x907c_4f80_ec24_5c99, 0xa894_3d33_1627_3128, 0x8984_e2cb_2e23_3ae1, 0x655a_4dda_794c_6256],
            [0x88e9_5ce7_ee6e_1497, 0x977f_927f_129d_3376, 0x2758_787a_568a_3ff3, 0x0bdf_684f_dc3c_bce1],
        ],
        [
            [0x1083_e2ea_1f09_5615, 0x0a28_ad77_14e6_8c33, 0x6bfc_0252_3d88_18be, 0xb585_113a_f358_50cd],
            [0x7d93_5f0b_30df_8aa1, 0xaddd_a07c_4ab7_e3ac, 0x92c3_4299_552f_00cb, 0xc33e_d1de_2909_df6c],
        ],
        [
            [0x222c_4a8a_10fb_29b2, 0x5508_6586_30b7_eb36, 0x22d1_5c09_1ee8_98a1, 0xb4a7_0d45_8540_90de],
            [0x3be7_a389_6f61_fbdc, 0xa7d2_62af_fd33_48c4, 0x9682_ec29_e66d_5552, 0x5ef1_77ea_14cb_b8d6],
        ],
        [
            [0x3067_f793_7eaf_b650, 0xe37d_fbf4_3bf2_a0cb, 0xe6b8_e19a_8c3a_c824, 0x8c49_30bf_a05e_8b4b],
            [0xd691_2676_45cd_b7bc, 0xcebd_ce57_05ea_892c, 0xf00c_5403_8015_170f, 0x2e12_dfcc_7b65_a3e5],
        ],
        [
            [0x9bdf_c7a9_6c5f_67d0, 0x64a4_4be0_9864_71a7, 0x7f12_c705_b721_aca9, 0xcc2f_523c_d760_d701],
            [0x49bb_9288_b46f_ebf2, 0x6a20_7099_3759_64e6, 0x6ca4_a499_0420_792f, 0x2188_c12d_38bc_a9e8],
        ],
        [
            [0x3857_f5c4_8ee5_0f1e, 0xf8f8_01d2_09a5_78e4, 0xbe6c_89fd_f20f_170e, 0x5ba0_8b2f_abcf_2fa9],
            [0x8680_3b77_486f_3cfc, 0x846a_92f7_9cf8_83ea, 0xbfb5_2676_474f_eb56, 0x4831_27b0_d252_161a],
        ],
        [
            [0x1828_8cfe_6a65_8c2b, 0xe9ea_ef2d_0b3d_9e91, 0x58f2_023f_9ae4_74f2, 0x0bda_e4b1_bcf3_4170],
            [0x9b72_5d7b_b186_1d12, 0x2bc0_4f74_0b47_25bb, 0xd9fe_2c7c_d2ae_fc19, 0x5e98_5bb6_610b_818e],
        ],
        [
            [0x58b1_117c_b499_8e4b, 0xa2cc_c539_ee2b_2e32, 0x5d10_33e8_127f_3f60, 0x6958_923b_bbc4_b91d],
            [0xa077_a0cf_70aa_136d, 0xd2fa_8875_641b_bf55, 0x74d2_71aa_3283_7130, 0xfe89_c100_33c1_d7bf],
        ],
        [
            [0x8de0_8805_3223_7e81, 0xf436_84ec_874d_faee, 0xfdba_26b9_88be_f633, 0xac29_9404_5d2a_9c91],
            [0xeea6_a5a0_a966_59e1, 0xe74a_555d_d25e_c31a, 0x8663_b8f1_d7d5_a482, 0x50b4_90d7_1b58_45e4],
        ],
    ],
];
