//! A headless Chromium, driven over its DevTools protocol by two named pipes: no driver, no port, no library.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;

use super::{DEADLINE, eventually};

/// A browser with one page.
#[derive(Debug)]
pub(crate) struct Browser {
    child: Child,
    to: File,
    from: Receiver<Value>,
    session: String,
    count: u64,
    /// What the page was told to tell: its requests, errors, messages.
    told: Vec<Value>,
    _dir: TempDir,
}

/// How a page is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) is_phone: bool,
    pub(crate) is_dark: bool,
}

impl Browser {
    /// Starts one that nobody has used. `can_script`: whether pages may.
    pub(crate) fn start(can_script: bool) -> Self {
        let dir = tempfile::Builder::new().prefix("browser-").tempdir().unwrap();
        let (to, from) = (dir.path().join("to"), dir.path().join("from"));
        for pipe in [&to, &from] {
            nix::unistd::mkfifo(pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        }
        // The descriptors that the protocol wants are opened by the shell.
        let line = "exec chromium --headless=new --no-sandbox --remote-debugging-pipe --user-data-dir=\"$0/profile\" \
                    --no-first-run --disable-gpu --disable-dev-shm-usage --disable-background-networking \
                    --disable-component-update --disable-sync --hide-scrollbars about:blank 3<\"$0/to\" 4>\"$0/from\"";
        let log = File::create(dir.path().join("log")).unwrap();
        let child = Command::new("bash")
            .args(["-c", line])
            .arg(dir.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let to = File::options().write(true).open(to).unwrap();
        let from = messages(File::open(from).unwrap());
        let mut browser = Self { child, to, from, session: String::new(), count: 0, told: Vec::new(), _dir: dir };
        let target = browser.ask("Target.createTarget", json!({"url": "about:blank"}))["targetId"].clone();
        let attached = browser.ask("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.ask(&format!("{domain}.enable"), json!({}));
        }
        browser.ask("Emulation.setScriptExecutionDisabled", json!({"value": !can_script}));
        browser
    }

    /// Opens an address, as typed, and waits until the page is there.
    pub(crate) fn open(&mut self, address: &str) {
        let before = self.told.len();
        let went = self.ask("Page.navigate", json!({"url": address}));
        assert_eq!(went["errorText"], Value::Null, "{address}: {went}");
        self.loaded(before);
    }

    /// Waits until a page is loaded that was asked for after so many messages.
    fn loaded(&mut self, before: usize) {
        while !self.told[before..].iter().any(|told| told["method"] == "Page.loadEventFired") {
            self.hear();
        }
    }

    /// Does something that opens another page, and waits for it.
    pub(crate) fn go(&mut self, script: &str) {
        let before = self.told.len();
        self.eval(script);
        self.loaded(before);
    }

    /// The value of an expression in the page.
    pub(crate) fn eval(&mut self, script: &str) -> Value {
        let asked = json!({"expression": script, "returnByValue": true, "awaitPromise": true, "userGesture": true});
        let answer = self.ask("Runtime.evaluate", asked);
        assert_eq!(answer["exceptionDetails"], Value::Null, "{script}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression in the page is true.
    pub(crate) fn sees(&mut self, what: &str, script: &str) {
        eventually(what, || (self.eval(script) == true).then_some(()));
    }

    /// Presses a key by its name.
    pub(crate) fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            other => panic!("{other}"),
        };
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { text } else { "" };
            let event = json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text});
            self.ask("Input.dispatchKeyEvent", event);
        }
    }

    /// Looks at the page in another way.
    pub(crate) fn look(&mut self, look: Look) {
        let Look { width, height, is_phone, is_dark } = look;
        let scale = if is_phone { 2 } else { 1 };
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": scale, "mobile": is_phone});
        self.ask("Emulation.setDeviceMetricsOverride", metrics);
        let scheme = if is_dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.ask("Emulation.setEmulatedMedia", features);
    }

    /// A picture of the whole page, or of the box around one element.
    pub(crate) fn picture(&mut self, of: Option<&str>, file: &Path) {
        let mut asked = json!({"format": "png", "captureBeyondViewport": true});
        if let Some(of) = of {
            let script = format!(
                "(() => {{ const b = document.querySelector({of:?}).getBoundingClientRect(); \
                 return {{x: b.x - 12, y: b.y + scrollY - 12, width: b.width + 24, height: b.height + 24, scale: 1}} }})()"
            );
            asked["clip"] = self.eval(&script);
        } else {
            let size = self.ask("Page.getLayoutMetrics", json!({}))["cssContentSize"].clone();
            asked["clip"] = json!({"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1});
        }
        let data = self.ask("Page.captureScreenshot", asked)["data"].as_str().unwrap().to_owned();
        std::fs::write(file, base64(&data)).unwrap();
    }

    /// Every address that was asked for.
    pub(crate) fn requests(&self) -> Vec<&str> {
        let sent = self.told.iter().filter(|told| told["method"] == "Network.requestWillBeSent");
        sent.map(|told| told["params"]["request"]["url"].as_str().unwrap()).collect()
    }

    /// Everything that a person would find in the console as an error or a warning.
    pub(crate) fn complaints(&self) -> Vec<&Value> {
        let complains = |told: &&Value| match told["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" => true,
            "Runtime.consoleAPICalled" => {
                ["error", "warning", "assert"].contains(&told["params"]["type"].as_str().unwrap())
            }
            "Log.entryAdded" => {
                told["params"]["entry"]["level"] != "verbose" && told["params"]["entry"]["level"] != "info"
            }
            _ => false,
        };
        self.told.iter().filter(complains).collect()
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.count += 1;
        let id = self.count;
        let mut message = json!({"id": id, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let message = self.next();
            if message["id"] == id {
                assert_eq!(message["error"], Value::Null, "{method}: {message}");
                return message["result"].clone();
            }
            self.told.push(message);
        }
    }

    fn hear(&mut self) {
        let message = self.next();
        self.told.push(message);
    }

    fn next(&self) -> Value {
        match self.from.recv_timeout(DEADLINE) {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => panic!("the browser is silent"),
            Err(RecvTimeoutError::Disconnected) => panic!("the browser has ended"),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.to.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0").ok();
        let ends = Instant::now() + Duration::from_secs(5);
        while Instant::now() < ends && self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            // Its last words; the pipe is closed at its end.
            self.from.recv_timeout(Duration::from_millis(50)).ok();
        }
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Reads messages on a thread of their own, so that silence can be noticed.
fn messages(from: File) -> Receiver<Value> {
    let (sender, receiver) = sync_channel(1024);
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut message = Vec::new();
        while from.by_ref().read_until(0, &mut message).is_ok_and(|read| read > 0) {
            message.pop();
            if sender.send(serde_json::from_slice(&message).unwrap()).is_err() {
                return;
            }
            message.clear();
        }
    });
    receiver
}

/// Undoes base64.
fn base64(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut out = Vec::new();
    for four in text.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = four.iter().fold(0_u32, |bits, byte| bits << 6 | u32::from(digit(*byte))) << (6 * (4 - four.len()));
        out.extend(bits.to_be_bytes().into_iter().skip(1).take(four.len() - 1));
    }
    out
}
