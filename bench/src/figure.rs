use serde::Serialize;

/// One measured figure.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    name: String,
    measured: f64,
    unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<f64>,
}

impl Figure {
    /// A figure that only informs.
    pub fn new(name: impl Into<String>, measured: f64, unit: &'static str) -> Self {
        Self { name: name.into(), measured, unit, limit: None }
    }

    /// Requires the figure to be `limit` at most.
    #[must_use]
    pub fn at_most(self, limit: f64) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// Prints it for people and for programs.
    pub fn report(&self) {
        let Self { name, measured, unit, .. } = self;
        match self.limit {
            None => eprintln!("{name}: {measured:.3} {unit}"),
            Some(limit) => {
                let verdict = if *measured <= limit { "ok" } else { "MISSED" };
                eprintln!("{name}: {measured:.3} {unit} (at most {limit} {unit}: {verdict})");
            }
        }
        println!("{}", serde_json::to_string(self).expect("a figure is plain data"));
    }
}
