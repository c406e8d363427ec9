//! Taking over what is stale, never what lives.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener as StdListener, UnixStream};
use std::path::Path;

use tempfile::TempDir;

use super::{Address, BindError, Door, Settings};

fn unix(path: &Path, mode: u32) -> Settings {
    let address = Address::Unix { path: path.to_owned(), mode, owner: None, group: None };
    Settings { name: "local".into(), address }
}

fn refusal(result: Result<Door, BindError>) -> String {
    result.map(|_door| ()).unwrap_err().to_string()
}

#[tokio::test]
async fn a_socket_gets_its_mode_and_its_connections() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("new/docker.sock");
    let door = Door::bind(&unix(&path, 0o640)).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o640);
    let _client = UnixStream::connect(&path).unwrap();
    assert!(door.accept().await.remote.is_none());
    drop(door);
    assert!(!path.exists(), "removed with the door");
}

#[tokio::test]
async fn a_stale_socket_is_taken_over() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("docker.sock");
    drop(StdListener::bind(&path).unwrap());
    let before = path.metadata().unwrap().ino();
    let _door = Door::bind(&unix(&path, 0o660)).unwrap();
    UnixStream::connect(&path).unwrap();
    assert_ne!(path.metadata().unwrap().ino(), before);
}

#[tokio::test]
async fn a_live_socket_is_never_stolen() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("docker.sock");
    let _owner = StdListener::bind(&path).unwrap();
    let text = refusal(Door::bind(&unix(&path, 0o660)));
    assert!(text.contains("'local'") && text.contains("somebody listens there"), "{text}");
    UnixStream::connect(&path).unwrap();
}

#[tokio::test]
async fn of_two_gates_on_one_socket_one_is_refused() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("docker.sock");
    let first = Door::bind(&unix(&path, 0o660)).unwrap();
    // Even if somebody removed the socket meanwhile.
    std::fs::remove_file(&path).unwrap();
    let text = refusal(Door::bind(&unix(&path, 0o660)));
    assert!(text.contains("another tidewaiter holds"), "{text}");
    drop(first);
    Door::bind(&unix(&path, 0o660)).unwrap();
}

#[tokio::test]
async fn nothing_but_a_socket_is_ever_removed() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("docker.sock");
    std::fs::write(&path, "precious").unwrap();
    assert!(refusal(Door::bind(&unix(&path, 0o660))).contains("something else than a socket"));
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
}

#[tokio::test]
async fn a_socket_that_replaced_ours_is_left_alone() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("docker.sock");
    let door = Door::bind(&unix(&path, 0o660)).unwrap();
    std::fs::remove_file(&path).unwrap();
    let _theirs = StdListener::bind(&path).unwrap();
    drop(door);
    UnixStream::connect(&path).unwrap();
}

#[tokio::test]
async fn an_overlong_path_and_a_public_address_are_refused() {
    let dir = TempDir::new().unwrap();
    let long = dir.path().join("x".repeat(120));
    assert!(refusal(Door::bind(&unix(&long, 0o660))).contains("107 bytes"));
    let public = Settings { name: "remote".into(), address: Address::Tcp("0.0.0.0:0".parse().unwrap()) };
    assert!(refusal(Door::bind(&public)).contains("loopback addresses only"));
}

#[tokio::test]
async fn a_taken_port_is_refused_and_a_free_one_accepts() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let settings = Settings { name: "loopback".into(), address: Address::Tcp(address) };
    assert!(refusal(Door::bind(&settings)).contains("somebody listens there"));
    drop(taken);
    let door = Door::bind(&settings).unwrap();
    let client = std::net::TcpStream::connect(address).unwrap();
    assert_eq!(door.accept().await.remote, Some(client.local_addr().unwrap()));
}
