//! What every request to the admin door meets before a page: which host it means, who sends it, and where it was begun.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HOST, HeaderName, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method};
use jiff::Timestamp;

use super::frame::Refused;
use super::{Visitor, Web};
use crate::peer::UnixPeer;

/// Nothing but our own files, no frames around us, no scripts or styles within the page, forms to ourselves only.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 6] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // With `no-referrer` browsers send `Origin: null` with our own forms.
    (REFERRER_POLICY, "same-origin"),
    (CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The person who asks, for the pages.
#[derive(Debug, Clone)]
pub(super) struct Person(pub(super) Arc<UnixPeer>);

/// Lets a request through to its page, or not.
pub(super) async fn guard(State(web): State<Arc<Web>>, mut request: Request, next: Next) -> Response {
    let mut response = match admit(&web, &mut request) {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn admit(web: &Web, request: &mut Request) -> Result<(), Refused> {
    let Some(visitor) = request.extensions().get::<Visitor>().cloned() else { return Err(Refused::Host) };
    let host = one(request.headers(), &HOST).filter(|host| is_ours(host, &visitor)).ok_or(Refused::Host)?;
    if *request.method() != Method::GET && !began_here(request.headers(), host) {
        return Err(Refused::Origin);
    }
    let path = request.uri().path();
    let is_page = path == "/console" || path.starts_with("/console/");
    if !is_page || super::is_open(path) {
        return Ok(());
    }
    let person = match visitor {
        Visitor::Socket(peer) => peer,
        Visitor::Loopback => {
            let cookies = request.headers().get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
            let now = Timestamp::now();
            let person = cookies.into_iter().find_map(|cookies| web.sessions.person(cookies, now));
            Arc::new(person.ok_or(Refused::Stranger)?)
        }
    };
    request.extensions_mut().insert(Person(person));
    Ok(())
}

/// The value of a header that is there exactly once.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut all = headers.get_all(name).iter();
    let only = all.next().filter(|_| all.next().is_none())?;
    only.to_str().ok()
}

/// Whether a `Host` means this machine. A page of somebody else's whose name was made to lead here (DNS rebinding) sends that
/// name. Any port: the door may be reached through a tunnel (`ssh -L`).
fn is_ours(host: &str, visitor: &Visitor) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    let number = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let loopback = number.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    // The command line has no address to name.
    let socket = matches!(visitor, Visitor::Socket(_)) && name == "tidewaiter";
    loopback || socket || name == "localhost"
}

/// Whether what changes something was sent by a page of ours, or by no browser at all: browsers say `Origin` with every
/// such request, and pages cannot keep them from it.
fn began_here(headers: &HeaderMap, host: &str) -> bool {
    let site = headers.get("sec-fetch-site");
    match one(headers, &ORIGIN) {
        Some(origin) => origin.strip_prefix("http://") == Some(host) && site.is_none_or(|site| site == "same-origin"),
        None => !headers.contains_key(ORIGIN) && site.is_none(),
    }
}

/// Whether a browser sent it.
pub(super) fn is_browser(headers: &HeaderMap) -> bool {
    headers.contains_key(ORIGIN) || headers.contains_key("sec-fetch-site")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_ours() {
        let (socket, loopback) = (Visitor::Socket(Arc::default()), Visitor::Loopback);
        for host in ["127.0.0.1:9323", "127.0.0.1", "localhost:1", "[::1]:9323", "127.9.9.9:1"] {
            assert!(is_ours(host, &loopback) && is_ours(host, &socket), "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example:9323",
            "192.0.2.1:9323",
            "",
            "localhost.evil",
            "[::2]:1",
            "127.0.0.1:x",
        ] {
            assert!(!is_ours(host, &loopback) && !is_ours(host, &socket), "{host}");
        }
        assert!(is_ours("tidewaiter", &socket) && !is_ours("tidewaiter", &loopback));
    }

    #[test]
    fn what_another_page_sends_is_seen() {
        let headers = |pairs: &[(&'static str, &'static str)]| -> HeaderMap {
            let pair = |(name, value): &(&'static str, &'static str)| {
                (HeaderName::from_static(name), HeaderValue::from_static(value))
            };
            pairs.iter().map(pair).collect()
        };
        let host = "127.0.0.1:9323";
        let ours = [("origin", "http://127.0.0.1:9323"), ("sec-fetch-site", "same-origin")];
        assert!(began_here(&headers(&ours), host) && began_here(&headers(&ours[..1]), host));
        assert!(began_here(&headers(&[]), host), "the command line");
        for foreign in [
            &[("origin", "http://127.0.0.1:8000")][..],
            &[("origin", "https://127.0.0.1:9323")],
            &[("origin", "null")],
            &[("origin", "http://127.0.0.1:9323"), ("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site")],
            &[("origin", "http://127.0.0.1:9323"), ("origin", "http://evil.example")],
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in foreign {
                map.append(*name, HeaderValue::from_static(value));
            }
            assert!(!began_here(&map, host), "{foreign:?}");
        }
    }
}
