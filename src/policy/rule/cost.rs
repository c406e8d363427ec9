//! What a rule may cost at most, from what a call can hand over: as Kubernetes does it for its CEL rules, told when the file
//! is read, so that no request can make a rule expensive.

use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, LiteralValue, operators as op};
use cel::parser::Expression;

/// Most elements of a list or map that a call hands over.
pub(super) const MAX_ELEMENTS: usize = 256;

/// Most bytes of a text, or of all texts in one list or map, that a call hands over.
pub(super) const MAX_BYTES: usize = 64 * 1024;

/// Most that a rule may cost: steps, plus bytes looked at. Two loops inside one another, each over all that a list can hold,
/// come close and take 50 ms.
pub(super) const MAX_COST: u64 = 64 * 1024 * 1024;

/// An upper bound, saturating.
#[derive(Debug, Clone, Copy)]
struct Bound {
    /// Steps to evaluate it, and bytes looked at on the way.
    cost: u64,
    /// Bytes of the value.
    size: u64,
    /// Elements of the value.
    count: u64,
}

/// The most that an expression may cost.
pub(super) fn of(expression: &Expression) -> u64 {
    bound(expression, &mut Vec::new()).cost
}

fn bound<'e>(expression: &'e Expression, scopes: &mut Vec<(&'e str, Bound)>) -> Bound {
    match &expression.expr {
        Expr::Literal(LiteralValue::String(text)) => Bound { cost: 1, size: 1 + text.inner().len() as u64, count: 0 },
        Expr::Literal(_) | Expr::Unspecified => Bound { cost: 1, size: 1, count: 0 },
        Expr::Ident(name) => {
            let local = scopes.iter().rev().find(|(known, _)| known == name).map(|(_, bound)| *bound);
            Bound { cost: 1, ..local.unwrap_or(Bound { cost: 1, size: MAX_BYTES as u64, count: MAX_ELEMENTS as u64 }) }
        }
        Expr::Select(select) => {
            let of = bound(&select.operand, scopes);
            Bound { cost: of.cost.saturating_add(1), count: of.count.min(MAX_ELEMENTS as u64), ..of }
        }
        Expr::Call(call) => self::call(call, expression, scopes),
        Expr::Comprehension(comprehension) => self::comprehension(comprehension, scopes),
        Expr::List(_) | Expr::Map(_) | Expr::Struct(_) => {
            let (all, parts) = sum(expression, scopes);
            Bound { count: parts, size: all.size.saturating_add(parts), ..all }
        }
    }
}

fn call<'e>(call: &CallExpr, whole: &'e Expression, scopes: &mut Vec<(&'e str, Bound)>) -> Bound {
    let (all, _) = sum(whole, scopes);
    // No operation is worse than linear in what it looks at.
    let cost = all.cost.saturating_add(all.size).saturating_add(1);
    match call.func_name.as_str() {
        op::INDEX => Bound { cost: all.cost.saturating_add(1), ..all },
        op::ADD | op::CONDITIONAL | "string" => Bound { cost, ..all },
        // A step of a loop keeps its accumulator, and looks at neither side.
        op::LOGICAL_AND | op::LOGICAL_OR | op::LOGICAL_NOT | op::NOT_STRICTLY_FALSE => {
            Bound { cost: all.cost.saturating_add(1), size: 1, count: 0 }
        }
        _number_or_bool => Bound { cost, size: 1, count: 0 },
    }
}

/// Goes through each element of the range, of which there are `count`, with an equal share of its size each: no operation is
/// worse than linear, so that the shares cost no less together than the true ones.
fn comprehension<'e>(part: &'e ComprehensionExpr, scopes: &mut Vec<(&'e str, Bound)>) -> Bound {
    let range = bound(&part.iter_range, scopes);
    let start = bound(&part.accu_init, scopes);
    let times = range.count.max(1);
    let element = Bound { cost: 1, size: range.size.div_ceil(times), count: range.size.div_ceil(times) };
    let outer = scopes.len();
    scopes.push((&part.iter_var, element));
    scopes.push((&part.accu_var, Bound { cost: 1, size: 1, count: 0 }));
    let test = bound(&part.loop_cond, scopes);
    let step = bound(&part.loop_step, scopes);
    scopes.truncate(outer);
    let each = test.cost.saturating_add(step.cost).saturating_add(1);
    Bound {
        cost: range.cost.saturating_add(start.cost).saturating_add(each.saturating_mul(times)),
        size: step.size.saturating_mul(times),
        count: step.count.max(1).saturating_mul(times),
    }
}

/// The parts of an expression together, and how many there are.
fn sum<'e>(expression: &'e Expression, scopes: &mut Vec<(&'e str, Bound)>) -> (Bound, u64) {
    let mut all = Bound { cost: 1, size: 0, count: 0 };
    let mut parts = 0_u64;
    for child in super::names::children(expression) {
        let one = bound(child, scopes);
        all.cost = all.cost.saturating_add(one.cost);
        all.size = all.size.saturating_add(one.size);
        all.count = all.count.saturating_add(one.count);
        parts = parts.saturating_add(1);
    }
    (all, parts)
}
