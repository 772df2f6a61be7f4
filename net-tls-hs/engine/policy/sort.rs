// SPDX-License-Identifier: GPL-2.0

//! Sorting without a panic. Those of `core` panic where the order is none, by functions that
//! objtool does not know.

/// Sorts by heapsort: in place, O(n log n) comparisons in the worst case. `less` says whether
/// the first is to be before the second; with one that is no order the result is some
/// permutation.
pub fn sort_by<T>(items: &mut [T], mut less: impl FnMut(&T, &T) -> bool) {
    for root in (0..items.len() / 2).rev() {
        sift_down(items, root, &mut less);
    }
    // The largest of the heap goes behind it.
    let mut heap = items;
    while let Some((last, rest)) = heap.split_last_mut() {
        let Some(first) = rest.first_mut() else {
            return;
        };
        core::mem::swap(first, last);
        sift_down(rest, 0, &mut less);
        heap = rest;
    }
}

/// Restores the order of a heap in which only the item at `root` may be less than one below it.
fn sift_down<T>(heap: &mut [T], mut root: usize, less: &mut impl FnMut(&T, &T) -> bool) {
    loop {
        let mut child = 2 * root + 1;
        let Some((above, below)) = heap.split_at_mut_checked(child) else {
            return;
        };
        let (Some(parent), Some((left, others))) = (above.get_mut(root), below.split_first_mut())
        else {
            return;
        };
        let mut larger = left;
        if let Some(right) = others.first_mut() {
            if less(larger, right) {
                larger = right;
                child += 1;
            }
        }
        if !less(parent, larger) {
            return;
        }
        core::mem::swap(parent, larger);
        root = child;
    }
}
