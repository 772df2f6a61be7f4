// SPDX-License-Identifier: GPL-2.0

#[cfg_attr(CONFIG_KUNIT, kernel::macros::kunit_tests(tls_handshake_name))]
mod tests {
    use crate::engine::policy::name::{entry_for, find_name, search, sort_names, Name, NameEntry};
    use crate::engine::policy::sort::sort_by;

    #[test]
    fn names() {
        let normal = |name: &[u8]| Name::new(name);
        assert!(normal(b"WWW.Example.ORG.").is_some_and(|n| n.as_bytes() == b"www.example.org"));
        // 63 bytes are the most in a label, 253 in a name, but for a dot at its end.
        assert!(normal(&[b'a'; 63]).is_some() && normal(&[b'a'; 64]).is_none());
        let mut long = [b'a'; 255];
        for dot in [63, 127, 191, 253] {
            long[dot] = b'.';
        }
        assert!(normal(&long[..253]).is_some() && normal(&long[..254]).is_some());
        assert!(normal(&long).is_none());
        assert!(normal(b"a_b-1.xn--bcher-kva.example").is_some());
        assert!(normal(b"1.2.3.4.example").is_some() && normal(b"4com").is_some());
        for bad in [
            &b""[..],
            b".",
            b"a..b",
            b".a",
            b"a..",
            b"a b",
            b"a\0.b",
            b"a\n",
            b"a/b",
            b"a:443",
            b"b\xc3\xbccher.test",
            b"B\xc3\x9cCHER.test",
            b"127.0.0.1",
            b"127.0.0.1.",
            b"2130706433",
            b"::1",
            b"[::1]",
            b"*",
            b"*.test",
            b"a.*",
        ] {
            assert!(normal(bad).is_none());
        }
        // Of settings and certificates, a wildcard for one label.
        let pattern = |name: &[u8]| Name::pattern(name);
        assert!(pattern(b"*.Test.").is_some_and(|n| n.as_bytes() == b"*.test"));
        assert!(pattern(b"a.test").is_some_and(|n| n.as_bytes() == b"a.test"));
        for bad in [
            &b"*"[..],
            b"*.",
            b"*.1",
            b"a.*.test",
            b"*a.test",
            b"*.*.test",
            b"a*.test",
        ] {
            assert!(pattern(bad).is_none());
        }
    }

    /// A name is looked up before the wildcard for its first label, and nothing else is.
    #[test]
    fn wildcards() {
        let tried = |name: &[u8], expected: &[&[u8]]| {
            let mut count = 0;
            let mut name = Name::new(name)?;
            let found = name.resolve(|name| {
                assert!(expected.get(count) == Some(&name));
                count += 1;
                None::<()>
            });
            (found.is_none() && count == expected.len()).then_some(())
        };
        let www = [&b"www.example.org"[..], b"*.example.org"];
        assert!(tried(b"WWW.example.org.", &www).is_some());
        assert!(tried(b"a.b", &[b"a.b", b"*.b"]).is_some());
        assert!(tried(b"localhost", &[b"localhost"]).is_some());
        let first = Name::new(b"a.b").and_then(|mut name| name.resolve(|name| Some(name.len())));
        assert!(first == Some(3));
    }

    /// TLS_HS_SNI: a table that grows name by name stays in order, and the name itself, its
    /// wildcard or nothing is found in it.
    #[test]
    fn settings() {
        const NAMES: [&[u8]; 6] = [
            b"www.a.test",
            b"*.a.test",
            b"a.test",
            b"*.b.test",
            b"z",
            b"www.a.test",
        ];
        fn name_of<'a>(entry: &'a &[u8]) -> &'a [u8] {
            entry
        }
        let mut table = [&b""[..]; NAMES.len()];
        let mut nr = 0;
        for (i, name) in NAMES.into_iter().enumerate() {
            match search(&table[..nr], name_of, name) {
                Ok(at) => assert!(i == 5 && table[at] == name),
                Err(at) => {
                    table.copy_within(at..nr, at + 1);
                    table[at] = name;
                    nr += 1;
                }
            }
        }
        assert!(nr == 5 && table[..nr].is_sorted());
        let settings_for = |name: &[u8]| {
            let at = entry_for(&table[..nr], name_of, &mut Name::new(name)?)?;
            Some(table[at])
        };
        assert!(settings_for(b"WWW.A.test.") == Some(b"www.a.test"));
        assert!(settings_for(b"b.a.test") == Some(b"*.a.test"));
        assert!(settings_for(b"a.test") == Some(b"a.test"));
        assert!(settings_for(b"x.b.test") == Some(b"*.b.test"));
        assert!(settings_for(b"Z") == Some(b"z"));
        for none in [&b"b.test"[..], b"c.b.a.test", b"x.b.test.z", b"zz", b"test"] {
            assert!(settings_for(none).is_none());
        }
        assert!(entry_for(&[], name_of, &mut Name::new(b"z").unwrap()).is_none());
    }

    /// Of names that are many, each is found.
    #[test]
    fn name_table() {
        let mut names = [0; 3 * 200];
        let entry = |i: usize| NameEntry {
            start: 3 * i as u32,
            len: 3,
            identity: i as u32,
        };
        let mut index = [entry(0); 200];
        for i in 0..200 {
            // Each name twice, not in order.
            let number = (i % 100) * 37 % 100;
            names[3 * i..][..3].copy_from_slice(&[b'n', number as u8 / 10, number as u8 % 10]);
            index[i] = entry(i);
        }
        sort_names(&names, &mut index);
        for i in 0..100 {
            let found = find_name(&names, &index, &names[3 * i..][..3]);
            assert!(found.iter().map(|e| e.identity as usize).eq([i, i + 100]));
        }
        for missing in [&b""[..], b"a", b"n", b"z", &[b'n', 0, 0, 0], &[b'n', 10, 0]] {
            assert!(find_name(&names, &index, missing).is_empty());
        }
        assert!(find_name(&names, &[], b"n").is_empty());
    }

    #[test]
    fn sorting() {
        let mut random = 1u32;
        for len in 0..200 {
            let mut items = [0u8; 200];
            let mut counts = [0u8; 256];
            for item in &mut items[..len] {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // Many that are equal, too.
                *item = (random >> 24) as u8 & if len & 1 == 0 { 0xff } else { 0x0f };
                counts[usize::from(*item)] += 1;
            }
            let sorted = &mut items[..len];
            sort_by(sorted, |a, b| a < b);
            assert!(sorted.windows(2).all(|w| w[0] <= w[1]));
            // What is no order ends as well, and loses nothing.
            let mut turn = 0u8;
            sort_by(&mut items[..len / 2], |_, _| {
                turn = turn.wrapping_mul(5).wrapping_add(3);
                turn & 4 != 0
            });
            for item in &items[..len] {
                counts[usize::from(*item)] -= 1;
            }
            assert!(counts.iter().all(|&c| c == 0));
        }
    }
}
