//! Which request goes to which function.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

/// A route of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    method: String,
    path: String,
    /// The function behind it.
    pub function: String,
}

impl Route {
    /// Reads a route key such as `GET /workflows/{id}`.
    ///
    /// # Errors
    ///
    /// It is none.
    pub fn new(key: &str, function: impl Into<String>) -> Result<Self> {
        let (method, path) = key.split_once(' ').with_context(|| format!("`{key}` is no route key"))?;
        Ok(Self { method: method.to_owned(), path: path.to_owned(), function: function.into() })
    }

    /// As the template writes it.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn parameters(&self, method: &str, path: &str) -> Option<BTreeMap<String, String>> {
        if self.method != "ANY" && self.method != method {
            return None;
        }
        let mut parameters = BTreeMap::new();
        let mut segments = path.trim_matches('/').split('/');
        for pattern in self.path.trim_matches('/').split('/') {
            let name = pattern.strip_prefix('{').and_then(|pattern| pattern.strip_suffix('}'));
            match name.map(|name| name.strip_suffix('+').ok_or(name)) {
                // The rest of the path, however long.
                Some(Ok(name)) => {
                    let rest: Vec<_> = segments.by_ref().collect();
                    parameters.insert(name.to_owned(), rest.join("/"));
                }
                Some(Err(name)) => {
                    let value = segments.next().filter(|segment| !segment.is_empty())?;
                    let value = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
                    parameters.insert(name.to_owned(), value.into_owned());
                }
                None => (segments.next() == Some(pattern)).then_some(())?,
            }
        }
        segments.next().is_none().then_some(parameters)
    }
}

/// All routes of an API.
#[derive(Clone, Debug, Default)]
pub struct Routes(Vec<Route>);

impl Routes {
    /// Routes; what has fewer parameters is tried first, as a more specific route wins.
    #[must_use]
    pub fn new(mut routes: Vec<Route>) -> Self {
        routes.sort_by_key(|route| (route.method == "ANY", route.path.matches('{').count()));
        Self(routes)
    }

    /// The route of a request, and its path parameters.
    #[must_use]
    pub fn find(&self, method: &str, path: &str) -> Option<(&Route, BTreeMap<String, String>)> {
        self.0.iter().find_map(|route| Some((route, route.parameters(method, path)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_route_wins() {
        let routes = [
            ("ANY /{proxy+}", "rest"),
            ("GET /workflows/{id}", "one"),
            ("GET /workflows", "list"),
            ("POST /workflows/{id}/approval", "approve"),
        ];
        let routes =
            Routes::new(routes.iter().map(|(key, function)| Route::new(key, *function).unwrap()).collect());
        let find = |method, path| {
            let (route, parameters) = routes.find(method, path).unwrap();
            (route.function.as_str(), parameters.into_values().collect::<Vec<_>>())
        };
        assert_eq!(find("GET", "/workflows"), ("list", vec![]));
        assert_eq!(find("GET", "/workflows/a%20b"), ("one", vec!["a b".to_owned()]));
        assert_eq!(find("POST", "/workflows/w/approval"), ("approve", vec!["w".to_owned()]));
        assert_eq!(find("DELETE", "/workflows/w"), ("rest", vec!["workflows/w".to_owned()]));
        assert_eq!(find("GET", "/workflows/"), ("list", vec![]));
    }
}
