//! Holds an expression against what there is: unknown names, fields that no value has, comparisons that never hold.
//!
//! A rule with such a mistake would fail, or worse never fire, at some call; here it is told when the file is read.

use std::collections::BTreeSet;
use std::ops::Range;

use cel::common::ast::operators as op;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, SelectExpr, SourceInfo};
use cel::parser::Expression;

use super::shape::{Fields, Shape, VARIABLES};
use crate::policy::load::nearest;

/// Most expressions inside one another: evaluating takes a few kilobytes of stack for each.
const MAX_DEPTH: usize = 32;

/// A mistake at a range of the expression.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) at: Range<usize>,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

/// The kind of a value as far as it is known.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Any,
    Null,
    Bool,
    Number,
    Text,
    List(Box<Kind>),
    Map(Box<Kind>),
    Record(Fields),
}

/// Walks an expression once.
#[derive(Debug)]
pub(super) struct Names<'s> {
    source: &'s SourceInfo,
    /// Variables of the loops around, the innermost last.
    scopes: Vec<(String, Kind)>,
    pub(super) mistakes: Vec<Mistake>,
    /// Variables and fields that the expression names.
    pub(super) used: BTreeSet<String>,
}

impl<'s> Names<'s> {
    pub(super) const fn new(source: &'s SourceInfo) -> Self {
        Self { source, scopes: Vec::new(), mistakes: Vec::new(), used: BTreeSet::new() }
    }

    /// Checks a whole rule, which must say yes or no.
    pub(super) fn rule(&mut self, rule: &Expression) {
        if !is_shallow(rule, MAX_DEPTH) {
            self.fail(rule, "nested too deeply", Some(&format!("write at most {MAX_DEPTH} operations in one another")));
            return;
        }
        let kind = self.kind(rule);
        if !matches!(kind, Kind::Bool | Kind::Any) {
            self.fail(rule, &format!("this is {}, and a rule must say yes or no", kind.name()), Some("compare it"));
        }
    }

    fn kind(&mut self, expression: &Expression) -> Kind {
        match &expression.expr {
            Expr::Literal(literal) => of_literal(literal),
            Expr::Ident(name) => self.variable(expression, name),
            Expr::Select(select) => self.select(expression, select),
            Expr::Call(call) => self.call(expression, call),
            Expr::List(list) => {
                let kinds: Vec<Kind> = list.elements.iter().map(|element| self.kind(element)).collect();
                let element = kinds.into_iter().reduce(|one, other| self.join(expression, &one, &other));
                Kind::List(Box::new(element.unwrap_or(Kind::Any)))
            }
            Expr::Map(map) => {
                let mut value = Kind::Any;
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.kind(&entry.key);
                        let next = self.kind(&entry.value);
                        value = self.join(expression, &value, &next);
                    }
                }
                Kind::Map(Box::new(value))
            }
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::Struct(message) => {
                self.fail(expression, &format!("there is no type '{}'", message.type_name), None);
                Kind::Any
            }
            Expr::Unspecified => {
                self.fail(expression, "there is nothing here", None);
                Kind::Any
            }
        }
    }

    fn variable(&mut self, at: &Expression, name: &str) -> Kind {
        if let Some((_, kind)) = self.scopes.iter().rev().find(|(known, _)| known == name) {
            return kind.clone();
        }
        if let Some((_, shape)) = VARIABLES.iter().find(|(known, _)| *known == name) {
            self.used.insert(name.to_owned());
            return Kind::of(*shape);
        }
        let known: Vec<&str> = VARIABLES.iter().map(|(name, _)| *name).collect();
        self.fail(at, &format!("there is no variable '{name}'"), nearest(name, &known).as_deref());
        Kind::Any
    }

    fn select(&mut self, at: &Expression, select: &SelectExpr) -> Kind {
        let of = self.kind(&select.operand);
        self.used.insert(select.field.clone());
        let kind = match of {
            Kind::Any => Kind::Any,
            Kind::Map(value) => *value,
            Kind::Record(fields) => {
                if let Some((_, shape)) = fields.iter().find(|(known, _)| *known == select.field) {
                    Kind::of(*shape)
                } else {
                    let known: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
                    self.fail(
                        at,
                        &format!("there is no '{}' here", select.field),
                        nearest(&select.field, &known).as_deref(),
                    );
                    Kind::Any
                }
            }
            other @ (Kind::Null | Kind::Bool | Kind::Number | Kind::Text | Kind::List(_)) => {
                self.fail(at, &format!("{} has no '{}'", other.name(), select.field), None);
                Kind::Any
            }
        };
        if select.test { Kind::Bool } else { kind }
    }

    fn comprehension(&mut self, comprehension: &ComprehensionExpr) -> Kind {
        let range = self.kind(&comprehension.iter_range);
        let element = match range {
            Kind::Any => Kind::Any,
            Kind::List(element) => *element,
            Kind::Map(_) => Kind::Text,
            other @ (Kind::Null | Kind::Bool | Kind::Number | Kind::Text | Kind::Record(_)) => {
                let message = format!("{} cannot be gone through", other.name());
                self.fail(&comprehension.iter_range, &message, Some("only a list or a map can"));
                Kind::Any
            }
        };
        let start = self.kind(&comprehension.accu_init);
        let outer = self.scopes.len();
        self.scopes.push((comprehension.iter_var.clone(), element));
        self.scopes.extend(comprehension.iter_var2.clone().map(|name| (name, Kind::Any)));
        self.scopes.push((comprehension.accu_var.clone(), start));
        self.kind(&comprehension.loop_cond);
        let step = self.kind(&comprehension.loop_step);
        self.scopes.push((comprehension.accu_var.clone(), step));
        let result = self.kind(&comprehension.result);
        self.scopes.truncate(outer);
        result
    }

    fn call(&mut self, at: &Expression, call: &CallExpr) -> Kind {
        let target = call.target.as_ref().map(|target| self.kind(target));
        let kinds: Vec<Kind> =
            target.into_iter().chain(call.args.iter().map(|arg| self.kind(arg)).collect::<Vec<_>>()).collect();
        match (call.func_name.as_str(), call.target.is_some(), kinds.as_slice()) {
            (op::LOGICAL_AND | op::LOGICAL_OR | op::LOGICAL_NOT | op::NOT_STRICTLY_FALSE, false, kinds) => {
                for (kind, arg) in kinds.iter().zip(&call.args) {
                    self.want(arg, kind, &Kind::Bool);
                }
                Kind::Bool
            }
            (op::CONDITIONAL, false, [test, yes, no]) => {
                self.want(at, test, &Kind::Bool);
                self.join(at, yes, no)
            }
            (op::EQUALS | op::NOT_EQUALS, false, [Kind::Null, _] | [_, Kind::Null]) => Kind::Bool,
            (
                op::EQUALS | op::NOT_EQUALS | op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS,
                false,
                [one, other],
            ) => {
                if !one.may_be(other) {
                    self.fail(at, &format!("compares {} with {}", one.name(), other.name()), None);
                }
                Kind::Bool
            }
            (op::IN, false, [one, all]) => {
                self.contained(at, one, all);
                Kind::Bool
            }
            (op::INDEX, false, [of, index]) => self.index(at, call, of, index),
            (op::ADD, false, [one, other]) => self.sum(at, one, other),
            (op::SUBSTRACT | op::MULTIPLY | op::DIVIDE | op::MODULO | op::NEGATE, false, kinds) => {
                for (kind, arg) in kinds.iter().zip(&call.args) {
                    self.want(arg, kind, &Kind::Number);
                }
                Kind::Number
            }
            ("contains" | "startsWith" | "endsWith", true, [text, part]) => {
                if let Kind::List(_) = text {
                    self.fail(at, "this is a list", Some("write: 'x' in LIST"));
                } else {
                    self.want(at, text, &Kind::Text);
                    self.want(at, part, &Kind::Text);
                }
                Kind::Bool
            }
            ("size", _, [of]) => {
                if !matches!(of, Kind::Any | Kind::Text | Kind::List(_) | Kind::Map(_)) {
                    self.fail(at, &format!("{} has no size", of.name()), None);
                }
                Kind::Number
            }
            ("int" | "double", false, [_]) => Kind::Number,
            ("string", false, [_]) => Kind::Text,
            (name, _, _) => {
                self.unknown(at, name);
                Kind::Any
            }
        }
    }

    fn unknown(&mut self, at: &Expression, name: &str) {
        let known = [
            "all",
            "contains",
            "double",
            "endsWith",
            "exists",
            "exists_one",
            "filter",
            "has",
            "int",
            "map",
            "size",
            "startsWith",
            "string",
        ];
        let message = if known.contains(&name) {
            format!("'{name}' is called in another way")
        } else {
            format!("there is no function '{name}'")
        };
        let help = if name == "matches" {
            Some("regular expressions are left out: write startsWith, endsWith or contains".to_owned())
        } else if known.contains(&name) {
            Some("write size(LIST), TEXT.contains('x'), LIST.exists(x, …), has(MAP.key)".to_owned())
        } else {
            nearest(name, &known)
        };
        self.fail(at, &message, help.as_deref());
    }

    fn contained(&mut self, at: &Expression, one: &Kind, all: &Kind) {
        let element = match all {
            Kind::Any => return,
            Kind::List(element) => element,
            Kind::Map(_) => &Kind::Text,
            Kind::Text => {
                self.fail(at, "looks for a value in text", Some("write: TEXT.contains('x')"));
                return;
            }
            other @ (Kind::Null | Kind::Bool | Kind::Number | Kind::Record(_)) => {
                self.fail(at, &format!("looks for a value in {}", other.name()), None);
                return;
            }
        };
        if !one.may_be(element) {
            self.fail(at, &format!("looks for {} among {}", one.name(), element.name()), None);
        }
    }

    fn index(&mut self, at: &Expression, call: &CallExpr, of: &Kind, index: &Kind) -> Kind {
        if let Some(Expr::Literal(LiteralValue::String(key))) = call.args.get(1).map(|index| &index.expr) {
            self.used.insert(key.inner().to_owned());
        }
        match of {
            Kind::Any => Kind::Any,
            Kind::List(element) => {
                self.want(at, index, &Kind::Number);
                element.as_ref().clone()
            }
            Kind::Map(value) => {
                self.want(at, index, &Kind::Text);
                value.as_ref().clone()
            }
            other @ (Kind::Null | Kind::Bool | Kind::Number | Kind::Text | Kind::Record(_)) => {
                self.fail(at, &format!("{} has no elements", other.name()), Some("name a field: create.Image"));
                Kind::Any
            }
        }
    }

    fn sum(&mut self, at: &Expression, one: &Kind, other: &Kind) -> Kind {
        match (one, other) {
            (Kind::List(_), Kind::List(_)) => self.join(at, one, other),
            (one, other)
                if one.may_be(other) && !matches!(one, Kind::Bool | Kind::Record(_) | Kind::Map(_) | Kind::Null) =>
            {
                if *one == Kind::Any {
                    other.clone()
                } else {
                    one.clone()
                }
            }
            (one, other) => {
                self.fail(at, &format!("adds {} to {}", other.name(), one.name()), None);
                Kind::Any
            }
        }
    }

    /// What is either the one or the other. Records of different kinds are told: of what both may be nothing would be known,
    /// not even which of its fields are used.
    fn join(&mut self, at: &Expression, one: &Kind, other: &Kind) -> Kind {
        match (one, other) {
            (Kind::Any | Kind::Null, kind) | (kind, Kind::Any | Kind::Null) => kind.clone(),
            (Kind::List(one), Kind::List(other)) => Kind::List(Box::new(self.join(at, one, other))),
            (Kind::Map(one), Kind::Map(other)) => Kind::Map(Box::new(self.join(at, one, other))),
            (one, other) if one == other => one.clone(),
            (one, other) => {
                if one.holds_record() || other.holds_record() {
                    self.fail(
                        at,
                        "mixes a record with something else",
                        Some("write a condition for each, joined by ||"),
                    );
                }
                Kind::Any
            }
        }
    }

    fn want(&mut self, at: &Expression, kind: &Kind, wanted: &Kind) {
        if *kind != Kind::Any && kind != wanted {
            self.fail(at, &format!("this is {}, not {}", kind.name(), wanted.name()), None);
        }
    }

    fn fail(&mut self, at: &Expression, message: &str, help: Option<&str>) {
        let at = range(self.source, at);
        let mistake = Mistake { at, message: message.to_owned(), help: help.map(ToOwned::to_owned) };
        // A loop's parts are read more than once.
        if !self.mistakes.contains(&mistake) {
            self.mistakes.push(mistake);
        }
    }
}

/// Where a node is written: the parser notes of a call its bracket, and of a field its dot.
fn range(source: &SourceInfo, at: &Expression) -> Range<usize> {
    let (start, stop) = source.offset_for(at.id).unwrap_or_default();
    let (start, stop) = (start as usize, stop as usize);
    let text = source.source.as_str();
    let before = text.get(..start).unwrap_or_default();
    if let Expr::Select(select) = &at.expr
        && text.get(start..).is_some_and(|rest| rest.starts_with('.'))
    {
        return start + 1..start + 1 + select.field.len();
    }
    if let Expr::Call(call) = &at.expr
        && before.ends_with(call.func_name.as_str())
    {
        return start - call.func_name.len()..start;
    }
    start..stop.max(start) + 1
}

/// Whether no more than so many expressions are inside one another.
fn is_shallow(expression: &Expression, levels: usize) -> bool {
    let Some(levels) = levels.checked_sub(1) else { return false };
    children(expression).into_iter().all(|child| is_shallow(child, levels))
}

/// What an expression is made of.
pub(super) fn children(expression: &Expression) -> Vec<&Expression> {
    match &expression.expr {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => Vec::new(),
        Expr::Select(select) => vec![&select.operand],
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).collect(),
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => map.entries.iter().flat_map(|entry| entry_parts(&entry.expr)).collect(),
        Expr::Struct(message) => message.entries.iter().flat_map(|entry| entry_parts(&entry.expr)).collect(),
        Expr::Comprehension(part) => {
            vec![&part.iter_range, &part.accu_init, &part.loop_cond, &part.loop_step, &part.result]
        }
    }
}

fn entry_parts(entry: &EntryExpr) -> Vec<&Expression> {
    match entry {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
    }
}

const fn of_literal(literal: &LiteralValue) -> Kind {
    match literal {
        LiteralValue::Boolean(_) => Kind::Bool,
        LiteralValue::Double(_) | LiteralValue::Int(_) | LiteralValue::UInt(_) => Kind::Number,
        LiteralValue::String(_) => Kind::Text,
        LiteralValue::Null => Kind::Null,
        LiteralValue::Bytes(_) => Kind::Any,
    }
}

impl Kind {
    fn of(shape: Shape) -> Self {
        match shape {
            Shape::Bool => Self::Bool,
            Shape::Int => Self::Number,
            Shape::Text => Self::Text,
            Shape::List(element) => Self::List(Box::new(Self::of(*element))),
            Shape::Map(value) => Self::Map(Box::new(Self::of(*value))),
            Shape::Record(fields) => Self::Record(fields),
        }
    }

    /// Whether a value of one kind may equal one of another.
    fn may_be(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => true,
            (Self::List(one), Self::List(other)) | (Self::Map(one), Self::Map(other)) => one.may_be(other),
            // Fields that no rule names are left out, so that comparing whole records would tell nothing.
            (Self::Record(_), Self::Record(_)) => false,
            (one, other) => one == other,
        }
    }

    fn holds_record(&self) -> bool {
        match self {
            Self::Record(_) => true,
            Self::List(of) | Self::Map(of) => of.holds_record(),
            Self::Any | Self::Null | Self::Bool | Self::Number | Self::Text => false,
        }
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Any => "something",
            Self::Null => "null",
            Self::Bool => "a yes or no",
            Self::Number => "a number",
            Self::Text => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
            Self::Record(_) => "a record",
        }
    }
}
