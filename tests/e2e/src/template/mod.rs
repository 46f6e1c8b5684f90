//! The deployment template, split into what CloudFormation can make of it here and what the driver stands in for.
//!
//! Stores are made by moto's CloudFormation from the template's own resources. Functions and routes are read here and
//! hosted by the development server and the driver's gateway; their environment variables are resolved by
//! CloudFormation, as outputs.

mod yaml;

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value, json};

use crate::gateway::{Route, Routes};

/// Types of resources that moto's CloudFormation makes. Policies of bucket and queue are none of them: they deny what is
/// not encrypted on its way, and here nothing is.
const STORES: [&str; 5] = [
    "AWS::DynamoDB::Table",
    "AWS::S3::Bucket",
    "AWS::SNS::Topic",
    "AWS::Events::EventBus",
    "AWS::SQS::Queue",
];

/// A template.
#[derive(Clone, Debug)]
pub struct Template(Value);

/// A function of the template.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its logical id.
    pub logical_id: String,
    /// Its name in a stack.
    pub name: String,
    /// The binary that it runs.
    pub binary: String,
    /// Seconds that one invocation may take.
    pub timeout: u64,
    /// Seconds that an execution may take; none for a plain function.
    pub execution_timeout: Option<u64>,
    /// Megabytes.
    pub memory: u64,
}

/// What is said to CloudFormation, and where its outputs belong.
#[derive(Debug)]
pub struct Stores {
    /// The template without functions.
    pub body: Value,
    /// By name of an output: the logical id of a function and the name of its variable.
    pub variables: BTreeMap<String, (String, String)>,
}

impl Template {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// It can't be read, or is no template.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("in {}", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let document = yaml::parse(text)?;
        ensure!(document.get("Resources").is_some_and(Value::is_object), "the template has no resources");
        Ok(Self(document))
    }

    fn resources(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0.get("Resources").and_then(Value::as_object).into_iter().flatten()
    }

    fn of_type(&self, kind: &str) -> impl Iterator<Item = (&String, &Value)> {
        self.resources().filter_map(move |(id, resource)| {
            (resource.get("Type")?.as_str()? == kind).then_some((id, resource.get("Properties")?))
        })
    }

    /// The functions, named for `stack`.
    ///
    /// # Errors
    ///
    /// One has no name or no binary that could be found out.
    pub fn functions(&self, stack: &str) -> Result<Vec<Function>> {
        let global = |name: &str| self.0.pointer(&format!("/Globals/Function/{name}"));
        self.of_type("AWS::Serverless::Function")
            .map(|(logical_id, properties)| {
                let number = |name: &str| {
                    properties
                        .get(name)
                        .or_else(|| global(name))
                        .and_then(Value::as_u64)
                        .with_context(|| format!("{logical_id} has no number `{name}`"))
                };
                let name = properties.pointer("/FunctionName/Fn::Sub").and_then(Value::as_str);
                let binary = properties.get("CodeUri").and_then(Value::as_str);
                let binary = binary.and_then(|path| path.rsplit('/').next());
                Ok(Function {
                    logical_id: logical_id.clone(),
                    name: name
                        .with_context(|| format!("{logical_id} has no name made by !Sub"))?
                        .replace("${AWS::StackName}", stack),
                    binary: binary.with_context(|| format!("{logical_id} has no CodeUri"))?.to_owned(),
                    timeout: number("Timeout")?,
                    execution_timeout: properties
                        .pointer("/DurableConfig/ExecutionTimeout")
                        .map(|limit| limit.as_u64().context("an ExecutionTimeout is a number"))
                        .transpose()?,
                    memory: number("MemorySize")?,
                })
            })
            .collect()
    }

    /// The routes of the HTTP API, to the functions of `stack` as `arn` names them.
    ///
    /// # Errors
    ///
    /// A route leads to no function.
    pub fn routes(&self, functions: &[Function], arn: impl Fn(&Function) -> String) -> Result<Routes> {
        let integrations: BTreeMap<&str, &Function> = self
            .of_type("AWS::ApiGatewayV2::Integration")
            .filter_map(|(id, properties)| {
                let reference = properties.pointer("/IntegrationUri/Ref")?.as_str()?;
                let logical_id = reference.strip_suffix(".Alias")?;
                Some((id.as_str(), functions.iter().find(|function| function.logical_id == logical_id)?))
            })
            .collect();
        let routes = self.of_type("AWS::ApiGatewayV2::Route").map(|(id, properties)| {
            let key = properties.get("RouteKey").and_then(Value::as_str);
            let target = properties.pointer("/Target/Fn::Sub").and_then(Value::as_str);
            let integration =
                target.and_then(|target| target.strip_prefix("integrations/${")?.strip_suffix('}'));
            let function = integration.and_then(|integration| integrations.get(integration));
            let function = function.with_context(|| format!("{id} leads to no function"))?;
            Route::new(key.with_context(|| format!("{id} has no route key"))?, arn(function))
        });
        Ok(Routes::new(routes.collect::<Result<_>>()?))
    }

    /// What CloudFormation makes of it here. `Ref`s to aliases of functions become what `arn` says; variables named
    /// in `given` are left out, as somebody else knows them.
    #[must_use]
    pub fn stores(
        &self,
        functions: &[Function],
        arn: impl Fn(&Function) -> String,
        given: &BTreeMap<String, String>,
    ) -> Stores {
        let mut resources = Map::new();
        for (id, resource) in self.resources() {
            let kind = resource.get("Type").and_then(Value::as_str).unwrap_or_default();
            if STORES.contains(&kind) {
                resources.insert(id.clone(), resource.clone());
            }
        }
        let mut outputs = Map::new();
        let mut variables = BTreeMap::new();
        for function in functions {
            let own = format!("/Resources/{}/Properties/Environment/Variables", function.logical_id);
            let global = self.0.pointer("/Globals/Function/Environment/Variables");
            for source in [global, self.0.pointer(&own)].into_iter().flatten() {
                for (name, value) in source.as_object().into_iter().flatten() {
                    if given.contains_key(name) {
                        continue;
                    }
                    let output = format!("Variable{}", variables.len());
                    outputs.insert(output.clone(), json!({ "Value": value }));
                    variables.insert(output, (function.logical_id.clone(), name.clone()));
                }
            }
        }
        let mut body = json!({ "Resources": resources, "Outputs": outputs });
        for section in ["Parameters", "Conditions"] {
            if let (Some(value), Some(fields)) = (self.0.get(section), body.as_object_mut()) {
                fields.insert(section.to_owned(), value.clone());
            }
        }
        let aliases: BTreeMap<String, String> = functions
            .iter()
            .map(|function| (format!("{}.Alias", function.logical_id), arn(function)))
            .collect();
        replace_references(&mut body, &aliases);
        Stores { body, variables }
    }
}

/// Replaces `{"Ref": name}` by what `known` says of the name.
fn replace_references(value: &mut Value, known: &BTreeMap<String, String>) {
    let reference = value.get("Ref").and_then(Value::as_str).and_then(|name| known.get(name));
    if let Some(text) = reference {
        *value = Value::String(text.clone());
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| replace_references(item, known)),
        Value::Object(fields) => fields.values_mut().for_each(|field| replace_references(field, known)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn ours() -> Template {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/template.yaml");
        Template::read(&path).unwrap()
    }

    fn arn(function: &Function) -> String {
        format!("arn:{}", function.name)
    }

    #[test]
    fn functions_and_routes_of_the_template_are_found() {
        let template = ours();
        let functions = template.functions("s").unwrap();
        let durable: Vec<_> = functions
            .iter()
            .filter(|function| function.execution_timeout.is_some())
            .map(|function| (function.name.as_str(), function.binary.as_str()))
            .collect();
        assert_eq!(durable, [("s-agent", "agent"), ("s-callback", "callback"), ("s-research", "research")]);
        let routes = template.routes(&functions, arn).unwrap();
        let find = |method, path| routes.find(method, path).map(|(route, _)| route.function.clone());
        assert_eq!(find("POST", "/callbacks").as_deref(), Some("arn:s-callback"));
        assert_eq!(find("POST", "/workflows").as_deref(), Some("arn:s-api"));
        assert_eq!(find("DELETE", "/workflows/w").as_deref(), Some("arn:s-api"));
        assert_eq!(find("DELETE", "/callbacks"), None);
    }

    #[test]
    fn only_stores_are_left_to_cloudformation_and_variables_are_outputs() {
        let template = ours();
        let functions = template.functions("s").unwrap();
        let given = BTreeMap::from([("CALLBACK_API_URL".to_owned(), String::new())]);
        let stores = template.stores(&functions, arn, &given);
        let kinds =
            stores.body["Resources"].as_object().unwrap().values().map(|it| it["Type"].as_str().unwrap());
        let kinds: BTreeSet<_> = kinds.collect();
        assert!(
            kinds.contains("AWS::DynamoDB::Table") && kinds.iter().all(|kind| STORES.contains(kind)),
            "{kinds:?}"
        );
        let of_research: Vec<_> = stores
            .variables
            .values()
            .filter(|(id, _)| id == "ResearchFunction")
            .map(|(_, name)| name.as_str())
            .collect();
        assert!(of_research.contains(&"WORKFLOW_TABLE") && of_research.contains(&"RESEARCHER_AGENT_ARN"));
        assert!(!of_research.contains(&"CALLBACK_API_URL"));
        let agent = stores.variables.iter().find(|(_, (_, name))| name == "RESEARCHER_AGENT_ARN").unwrap().0;
        let value = &stores.body["Outputs"][agent]["Value"]["Fn::If"][2];
        assert_eq!(value, "arn:s-agent");
    }
}
