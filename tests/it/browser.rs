//! The console as a person has it: in a browser, with a keyboard, on a phone, in the dark. `make browser` runs it.

use std::path::PathBuf;

use serde_json::Value;

use super::console::{STORY, Site};
use super::support::browser::{Browser, Look};
use super::support::docker::unique;
use super::support::engine::Engine;

const DESK: Look = Look { width: 1280, height: 900, is_phone: false, is_dark: false };
const PHONE: Look = Look { width: 390, height: 844, is_phone: true, is_dark: false };

/// The engine, a gate with a day behind it, and a browser that came by the link.
fn open(can_script: bool) -> (Engine, Site, Browser) {
    let engine = Engine::shared();
    let site = Site::new(&engine);
    let mut browser = Browser::start(can_script);
    browser.look(DESK);
    browser.open(&site.link());
    assert_eq!(browser.eval("location.pathname"), "/console");
    (engine, site, browser)
}

/// No request has left the gate, and a person finds nothing wrong in the console.
fn is_quiet(site: &Site, browser: &Browser) {
    let address = format!("{}/", site.address());
    let elsewhere: Vec<&str> = browser.requests().into_iter().filter(|url| !url.starts_with(&address)).collect();
    assert!(elsewhere.iter().all(|url| *url == "about:blank"), "{elsewhere:?}");
    assert_eq!(browser.complaints(), [&Value::Null; 0]);
}

#[test]
#[ignore = "needs Chromium: run by `make browser`"]
fn a_launch_appears_while_one_looks_and_its_dossier_is_right() {
    let (_engine, site, mut browser) = open(true);
    browser.sees("events come", "document.getElementById('live').textContent === 'Live.'");
    let name = unique("live");
    site.docker.ok(&["run", "--name", &name, "busybox:1.0", "true"]);
    let link = format!("[...document.querySelectorAll('.launches a')].find(a => a.textContent === '{name}')");
    browser.sees("the launch", &format!("Boolean({link})"));
    browser.sees("its start", &format!("Boolean({link}.closest('li').querySelector('.m.start'))"));
    browser.sees(
        "the call",
        "[...document.querySelectorAll('.calls td')].some(td => td.textContent === 'ContainerStart')",
    );
    browser.go(&format!("{link}.click()"));
    let moments = browser.eval("[...document.querySelectorAll('.timeline .what strong')].map(one => one.textContent)");
    let moments: Vec<&str> = moments.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    assert_eq!(
        moments.iter().filter(|one| ["create", "start"].contains(one)).collect::<Vec<_>>(),
        [&"create", &"start"]
    );
    site.docker.ok(&["rm", &name]);
    browser.sees("its end, live", "Boolean(document.querySelector('.timeline .m.end'))");

    // What the watch tells: places in true proportion, the order of time, who, and what no call explains.
    browser.open(&format!("{}/console/launches/{}", site.address(), STORY.get(..12).unwrap()));
    let text =
        |selector: &str| format!("[...document.querySelectorAll('{selector}')].map(one => one.textContent.trim())");
    let offsets = browser.eval(&text(".timeline .offset time"));
    let first = &offsets.as_array().unwrap()[..3];
    assert_eq!(first, &["−412 ms", "0", "+61 ms"].map(Value::from), "{offsets}");
    assert_eq!(offsets.as_array().unwrap().last().unwrap(), "+38.00 s");
    let odd = browser.eval(&text(".timeline .odd .what strong"));
    assert_eq!(odd, serde_json::json!(["exec"]));
    let places = browser.eval("[...document.querySelectorAll('.row .m')].map(m => parseFloat(m.getAttribute('x')))");
    let places: Vec<f64> = places.as_array().unwrap().iter().map(|place| place.as_f64().unwrap()).collect();
    let share = (places[8] - places[0]) / (places[10] - places[0]);
    assert!((share - 21.812 / 38.412).abs() < 0.01, "{share} of the way at 21.4 s: {places:?}");
    let severities = browser.eval(&text(".finding .severity"));
    assert_eq!(severities.as_array().unwrap().len(), 2, "{severities}");
    is_quiet(&site, &browser);
}

#[test]
#[ignore = "needs Chromium: run by `make browser`"]
fn an_approval_is_given_by_keyboard_and_the_retry_passes() {
    let (_engine, site, mut browser) = open(true);
    let name = unique("asked");
    let create = ["create", "--name", &name, "--privileged", "busybox:1.0", "true"];
    assert!(!site.docker.run(&create).status.success());
    browser.sees("what waits", "Boolean(document.querySelector('.approvals button.yes'))");
    assert!(browser.eval("document.querySelector('.summary').textContent").as_str().unwrap().contains(&name));
    // From the top of the page, by the keyboard alone.
    for _ in 0..60 {
        browser.press("Tab");
        if browser.eval("document.activeElement.classList.contains('yes')") == true {
            break;
        }
    }
    assert_eq!(browser.eval("getComputedStyle(document.activeElement).outlineStyle"), "solid", "one sees where one is");
    browser.press("Enter");
    browser.sees("the answer", "location.pathname === '/console/approvals' && document.readyState === 'complete'");
    let decided = "document.querySelector('[aria-labelledby=decided]')?.textContent ?? ''";
    browser.sees("who approved", &format!("({decided}).includes('approved by root (uid 0)')"));
    site.docker.ok(&create);
    browser.sees("that it is used up", &format!("({decided}) === ''"));
    site.docker.ok(&["rm", &name]);
    is_quiet(&site, &browser);
}

#[test]
#[ignore = "needs Chromium: run by `make browser`"]
fn without_scripts_the_pages_are_as_good() {
    let (_engine, site, mut browser) = open(false);
    let name = unique("plain");
    assert!(!site.docker.run(&["create", "--name", &name, "--privileged", "busybox:1.0", "true"]).status.success());
    for path in ["", "/launches", "/calls", "/findings", "/approvals"] {
        browser.open(&format!("{}/console{path}", site.address()));
        assert_eq!(browser.eval("document.querySelectorAll('h1').length"), 1, "{path}");
    }
    browser.go("document.querySelector('button.yes').click()");
    assert!(browser.eval("document.body.textContent").as_str().unwrap().contains("approved by root"));
    is_quiet(&site, &browser);
}

#[test]
#[ignore = "needs Chromium: run by `make browser`"]
fn every_page_is_accessible_whoever_looks() {
    let (_engine, site, mut browser) = open(true);
    let axe = std::env::var_os("TIDEWAITER_AXE").expect("run this by `make browser`: it needs axe-core");
    let axe = String::from_utf8(std::fs::read(axe).unwrap()).unwrap();
    let pictures = std::env::var_os("TIDEWAITER_PICTURES").map(PathBuf::from);
    let name = unique("shown");
    assert!(!site.docker.run(&["create", "--name", &name, "--privileged", "busybox:1.0", "true"]).status.success());
    site.docker.ok(&["run", "--rm", "--name", &name, "busybox:1.0", "true"]);
    browser.sees("what waits", "Boolean(document.querySelector('.approvals button.yes'))");
    let call = browser.eval("document.querySelector('.calls a').getAttribute('href')").as_str().unwrap().to_owned();
    let story = format!("/console/launches/{STORY}");
    let pages = [
        "/console",
        "/console/launches",
        &story,
        "/console/calls",
        &call,
        "/console/findings",
        "/console/approvals",
        "/console/enter",
    ];
    for (number, path) in pages.into_iter().enumerate() {
        for (look, words) in [
            (DESK, "desk"),
            (Look { is_dark: true, ..DESK }, "desk-dark"),
            (PHONE, "phone"),
            (Look { is_dark: true, ..PHONE }, "phone-dark"),
        ] {
            browser.look(look);
            browser.open(&format!("{}{path}", site.address()));
            let wide = browser.eval("document.documentElement.scrollWidth - document.documentElement.clientWidth");
            assert_eq!(wide, 0, "{path} is wider than a {words}");
            browser.eval(&format!("{axe};0"));
            let found = browser.eval(
                "axe.run(document, {resultTypes: ['violations']}).then(found => found.violations.map(one => \
                 one.id + ': ' + one.nodes.map(node => node.target + ' ' + node.failureSummary).join(' | ')))",
            );
            if let Some(pictures) = &pictures {
                browser.picture(None, &pictures.join(format!("{number}-{words}.png")));
            }
            assert_eq!(found, serde_json::json!([]), "{path} on a {words}");
        }
    }
    // The page of a link that is used up is a 401, which a browser reports.
    let unexpected = browser.complaints().into_iter().filter(|one| !one.to_string().contains("/console/enter"));
    assert_eq!(unexpected.count(), 0, "{:?}", browser.complaints());
}

#[test]
#[ignore = "makes the picture of the README: run by `make picture`"]
fn picture_of_a_launch() {
    let file = PathBuf::from(std::env::var_os("TIDEWAITER_PICTURE").expect("run this by `make picture`"));
    let (_engine, site, mut browser) = open(true);
    browser.look(Look { width: 1080, ..DESK });
    browser.open(&format!("{}/console/launches/{STORY}", site.address()));
    browser.picture(Some("[aria-labelledby=timeline]"), &file);
}
