//! What a policy sees of a create, by whichever reader, in one form that can be compared.

mod engine;
mod gate;

use std::collections::BTreeMap;

/// How a reader may differ from the engine where a body has two readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// A list, or a flag: it may hold more.
    Danger,
    /// What protects: it may hold less.
    Guard,
    /// A name: the engine's own.
    Exact,
    /// A limit: the engine's own, or none.
    Limit,
    /// What no policy looks at.
    Told,
}

const NETWORKS: [&str; 2] = ["Networks", "Networks' options"];
const TASK_NETWORKS: [&str; 2] = ["TaskTemplate.Networks", "TaskTemplate.Networks' options"];

/// Fields and what is in them, as text.
#[derive(Debug, Default)]
pub struct View(BTreeMap<&'static str, (Rule, Vec<String>)>);

impl View {
    /// Where this is not the engine's view; none if it is.
    pub fn differs(&self, engine: &Self) -> Vec<String> {
        self.against(engine, |_rule, ours, theirs| ours == theirs)
    }

    /// Where this is less than the worst reading; none if it holds all that the engine sees. An engine that is `later` may
    /// know of no name.
    pub fn misses(&self, engine: &Self, later: bool) -> Vec<String> {
        self.against(engine, |rule, ours, theirs| match rule {
            Rule::Danger => theirs.iter().all(|one| ours.contains(one)),
            Rule::Guard => ours.iter().all(|one| one.is_empty() || theirs.contains(one)),
            Rule::Exact => ours == theirs || later && theirs.is_empty(),
            Rule::Limit => ours == theirs || ours.is_empty(),
            Rule::Told => true,
        })
    }

    fn against(&self, engine: &Self, holds: impl Fn(Rule, &[String], &[String]) -> bool) -> Vec<String> {
        let none = (Rule::Exact, Vec::new());
        let both = self.0.iter().map(|(name, ours)| (name, ours, engine.0.get(name).unwrap_or(&none)));
        let failed = both.filter(|(_, (rule, ours), (_, theirs))| !holds(*rule, ours, theirs));
        failed.map(|(name, (_, ours), (_, theirs))| format!("{name}: {ours:?}, but the engine {theirs:?}")).collect()
    }

    fn put(&mut self, name: &'static str, rule: Rule, values: impl IntoIterator<Item = impl Into<String>>) {
        self.0.insert(name, (rule, values.into_iter().map(Into::into).collect()));
    }

    /// What has no order.
    fn put_set(&mut self, name: &'static str, rule: Rule, values: impl IntoIterator<Item = impl Into<String>>) {
        let mut values: Vec<_> = values.into_iter().map(Into::into).collect();
        values.sort_unstable();
        self.put(name, rule, values);
    }

    fn flag(&mut self, name: &'static str, rule: Rule, set: bool) {
        self.put(name, rule, set.then_some("true"));
    }

    fn exact(&mut self, name: &'static str, value: impl Into<String>) {
        self.put(name, Rule::Exact, Some(value.into()).filter(|value| !value.is_empty()));
    }

    fn number(&mut self, name: &'static str, value: i64) {
        self.put(name, Rule::Exact, (value != 0).then(|| value.to_string()));
    }

    /// Of which 0 is none.
    fn limit(&mut self, name: &'static str, value: i64) {
        self.put(name, Rule::Limit, (value != 0).then(|| value.to_string()));
    }

    /// One of which protects.
    fn security_options<'t>(&mut self, options: impl Iterator<Item = &'t str>) {
        let (guards, others): (Vec<_>, Vec<_>) = options.partition(|option| *option == "no-new-privileges");
        self.put("SecurityOpt", Rule::Danger, others);
        self.put("SecurityOpt's guard", Rule::Guard, guards);
    }

    /// Things, each with its options.
    fn with_options(&mut self, names: [&'static str; 2], things: impl IntoIterator<Item = WithOptions>) {
        let (mut all, mut options) = (Vec::new(), Vec::new());
        for WithOptions { told, options: its } in things {
            options.extend(its.into_iter().map(|option| format!("{told} {option}")));
            all.push(told);
        }
        let [name, of_options] = names;
        self.put(name, Rule::Danger, all);
        self.put_set(of_options, Rule::Danger, options);
    }
}

struct WithOptions {
    told: String,
    options: Vec<String>,
}

fn pair(key: &str, value: &str) -> String {
    format!("{key:?}={value:?}")
}

fn port(container: &str, ip: &str, host: &str) -> String {
    format!("{container:?} {ip:?}:{host:?}")
}
