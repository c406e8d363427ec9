//! What an attacker does to a body.

use crate::node::{Node, respell};
use crate::random::Random;

/// Does one odd thing to a body; `donor` is another one, to take members from.
pub fn body(root: &mut Node, donor: &Node, random: &mut Random) {
    let mut number = random.below(root.count());
    if random.percent(30) {
        number = 0;
    }
    let mut path = Vec::new();
    let Some(node) = root.nth(&mut number, &mut path) else { return };
    if random.percent(8) {
        *node = wrong(random);
        return;
    }
    match node {
        Node::Object(members, is_struct) => {
            let same = match donor.at(&path) {
                Some(Node::Object(members, _)) => members.as_slice(),
                _ => &[],
            };
            object(members, *is_struct, same, random);
        }
        Node::Array(elements) => {
            let same = match donor.at(&path) {
                Some(Node::Array(elements)) => elements.as_slice(),
                _ => &[],
            };
            array(elements, same, random);
        }
        Node::Text(_) => *node = odd_text(random),
        Node::Raw(_) => *node = wrong(random),
    }
}

fn object(members: &mut Vec<(String, Node)>, is_struct: bool, donor: &[(String, Node)], random: &mut Random) {
    let at = random.below(members.len());
    let place = random.below(members.len() + 1);
    match random.below(9) {
        // Twice, with another value: a part of the same, null, or what another body has there.
        0 | 1 if !members.is_empty() => {
            let (key, mut value) = members[at].clone();
            match random.below(4) {
                0 => value = Node::raw("null"),
                1 => value = empty(&value),
                2 => thin(&mut value, random),
                _ => {}
            }
            let key = if is_struct && random.percent(50) { respell(&key, random) } else { key };
            members.insert(place, (key, value));
        }
        2..=4 if !donor.is_empty() => {
            for _ in 0..=random.below(3) {
                let place = random.below(members.len() + 1);
                members.insert(place, donor[random.below(donor.len())].clone());
            }
        }
        5 if !members.is_empty() => {
            members[at].1 = Node::raw("null");
        }
        6 if !members.is_empty() => {
            let key = &mut members[at].0;
            match random.below(5) {
                0 => key.push(' '),
                1 => drop(key.pop()),
                2 => key.push('\0'),
                3 => *key = String::new(),
                _ => *key = key.replace(['s', 'S'], "\u{17f}").replace(['k', 'K'], "\u{212a}"),
            }
        }
        7 => members.insert(
            place,
            (random.pick(&["", "Foo", "Resources", "Config", "\u{ff22}inds"]).to_owned(), wrong(random)),
        ),
        _ if place < members.len() => members.swap(at, place),
        _ => {}
    }
}

fn array(elements: &mut Vec<Node>, donor: &[Node], random: &mut Random) {
    let at = random.below(elements.len());
    let place = random.below(elements.len() + 1);
    match random.below(6) {
        0 => elements.insert(place, Node::raw("null")),
        1 => elements.insert(place, wrong(random)),
        2 if !elements.is_empty() => drop(elements.remove(at)),
        3 => elements.extend_from_slice(donor),
        4 if !elements.is_empty() => thin(&mut elements[at], random),
        _ => elements.clear(),
    }
}

fn empty(value: &Node) -> Node {
    match value {
        Node::Object(_, is_struct) => Node::Object(Vec::new(), *is_struct),
        Node::Array(_) => Node::Array(Vec::new()),
        Node::Text(_) => Node::raw("\"\""),
        Node::Raw(_) => Node::raw("false"),
    }
}

/// Leaves some of it out.
fn thin(value: &mut Node, random: &mut Random) {
    match value {
        Node::Object(members, _) => {
            members.retain(|_| random.percent(50));
            members.iter_mut().for_each(|(_, value)| thin(value, random));
        }
        Node::Array(elements) => {
            elements.truncate(random.below(elements.len() + 1));
            elements.iter_mut().for_each(|value| thin(value, random));
        }
        Node::Text(_) | Node::Raw(_) => {}
    }
}

fn wrong(random: &mut Random) -> Node {
    if random.percent(4) {
        let depth = [2, 100, 126, 129, 500, 9_990, 10_001][random.below(7)];
        return Node::raw(&("[".repeat(depth) + &"]".repeat(depth)));
    }
    Node::raw(random.pick(&[
        "null",
        "true",
        "false",
        "0",
        "-0",
        "1",
        "-1",
        "1.0",
        "1e3",
        "0.1",
        "65536",
        "4294967296",
        "9223372036854775808",
        "99999999999999999999",
        "18446744073709551616",
        "1E400",
        "\"\"",
        "\"true\"",
        "\"host\"",
        "[]",
        "{}",
        "[null]",
        "[[]]",
        "{\"a\":1}",
        "{\"\":null}",
        "[{}]",
        "[\"a\"]",
        "[null,\"a\"]",
        "[1]",
        "01",
        "nul",
        "NaN",
        "'a'",
        "+1",
    ]))
}

fn odd_text(random: &mut Random) -> Node {
    let odd: [&[u8]; 18] = [
        "\"\u{17f}ys_admin\"".as_bytes(),
        "\"SYS_ADM\u{131}N\"".as_bytes(),
        br#""\ud800""#,
        br#""/etc\udc00\ud83d\ude00:/h""#,
        br#""\ud800\ud83d\ude00""#,
        br#""\ud800\u0041""#,
        b"\"/et\xffc\"",
        b"\"\xe2\x82:/h\"",
        b"\"\xed\xa0\x80\"",
        b"\"\xf0\x9f\x98\"",
        b"\"\xc0\xaf\"",
        "\"\u{fffd}\"".as_bytes(),
        br#""a\u0000b""#,
        br#""/srv/data\u0000/../../etc:/x""#,
        br#""a\nb""#,
        b"\"\x7f\"",
        b"\"a\x01b\"",
        br#""\x41""#,
    ];
    Node::Raw(odd[random.below(odd.len())].to_vec())
}

/// Does odd things to bytes, some of which leave them JSON.
pub fn bytes(bytes: &mut Vec<u8>, random: &mut Random) {
    const TOKENS: [&[u8]; 22] = [
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"\"",
        b"null",
        b"true",
        b"\\",
        b"\\u017f",
        b"\\ud800",
        b"\xff",
        b"\xef\xbb\xbf",
        b" ",
        b"\0",
        b"-",
        b"0",
        b"e",
        b".",
        b"\"Privileged\":true,",
        b"\"HostConfig\":null,",
    ];
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len() + 1);
        match random.below(8) {
            0 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 => drop(bytes.splice(at..at, TOKENS[random.below(TOKENS.len())].iter().copied())),
            3 if random.percent(20) => bytes.truncate(at),
            4 if random.percent(30) => {
                let token = random.pick(&["\u{feff}", " ", "\n\t", "x", "{}"]);
                drop(bytes.splice(0..0, token.bytes()));
            }
            5 => bytes.extend_from_slice(
                random.pick(&["}x", "]{}", " ", "{\"Privileged\":true}", "\n", "/*x*/", ",", "\0"]).as_bytes(),
            ),
            6 => {
                let end = (at + random.below(40)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                let to = random.below(bytes.len() + 1);
                drop(bytes.splice(to..to, piece));
            }
            _ => change_case(bytes, at),
        }
    }
}

fn change_case(bytes: &mut [u8], at: usize) {
    if let Some(byte) = bytes.get_mut(at)
        && byte.is_ascii_alphabetic()
    {
        *byte ^= 0x20;
    }
}
