//! Random numbers that a seed repeats: SplitMix64.

pub(crate) struct Random(u64);

impl Random {
    /// The numbers of one case of a campaign: the same ones however many cases ran before it.
    pub(crate) fn of_case(seed: u64, case: u64) -> Self {
        let mut random = Self(seed);
        Self(random.next() ^ case.wrapping_mul(0xa076_1d64_78bd_642f))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("it is less than a usize")
    }

    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    pub(crate) fn text(&mut self, count: usize, of: &str) -> String {
        let characters: Vec<char> = of.chars().collect();
        (0..count).map(|_| *self.pick(&characters)).collect()
    }
}
