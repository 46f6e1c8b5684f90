//! A schedule: what was chosen wherever several things could happen next.

use std::{fmt, str::FromStr};

use crate::random::Random;

/// The choices of one run, in order. Its text, such as `0.2.1`, replays it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Schedule(pub(super) Vec<usize>);

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let choices: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&choices.join("."))
    }
}

/// This text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoSchedule(String);

impl fmt::Display for NoSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no schedule; one is numbers and dots, such as `0.2.1`", self.0)
    }
}

impl std::error::Error for NoSchedule {}

impl FromStr for Schedule {
    type Err = NoSchedule;

    fn from_str(text: &str) -> Result<Self, NoSchedule> {
        let choices = text.split('.').filter(|choice| !choice.is_empty()).map(str::parse);
        choices.collect::<Result<_, _>>().map(Self).map_err(|_| NoSchedule(text.to_owned()))
    }
}

/// How the choices of a run are made.
#[derive(Clone, Debug)]
pub(super) enum Plan {
    /// These, and then always the first.
    Fixed(Schedule),
    /// By a seed.
    Random(u64),
}

/// One choice that was made.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) taken: usize,
    /// What could have happened next.
    pub(super) options: Vec<String>,
}

/// Makes the choices of one run, and remembers them.
#[derive(Debug)]
pub(super) struct Chooser {
    plan: Plan,
    random: Random,
    pub(super) choices: Vec<Choice>,
    /// Everything that happened by decision, also where there was no choice.
    pub(super) order: Vec<String>,
}

impl Chooser {
    pub(super) fn new(plan: Plan) -> Self {
        let seed = if let Plan::Random(seed) = plan { seed } else { 0 };
        Self { plan, random: Random::new(seed), choices: Vec::new(), order: Vec::new() }
    }

    /// Chooses one of `options`, of which there is at least one.
    pub(super) fn choose(&mut self, options: Vec<String>) -> usize {
        let count = options.len();
        let taken = match &self.plan {
            _ if count == 1 => 0,
            Plan::Fixed(schedule) => schedule.0.get(self.choices.len()).map_or(0, |choice| choice % count),
            Plan::Random(_) => self.random.below(count as u64) as usize,
        };
        self.order.extend(options.get(taken).cloned());
        if count > 1 {
            self.choices.push(Choice { taken, options });
        }
        taken
    }

    pub(super) fn schedule(&self) -> Schedule {
        Schedule(self.choices.iter().map(|choice| choice.taken).collect())
    }
}

/// The schedules that differ from this run first behind its first `fixed` choices.
pub(super) fn alternatives(choices: &[Choice], fixed: usize) -> impl Iterator<Item = Schedule> + '_ {
    choices.iter().enumerate().skip(fixed).flat_map(|(position, choice)| {
        let before: Vec<usize> = choices.iter().take(position).map(|choice| choice.taken).collect();
        (0..choice.options.len()).filter(|other| *other != choice.taken).map(move |other| {
            let mut schedule = before.clone();
            schedule.push(other);
            Schedule(schedule)
        })
    })
}
