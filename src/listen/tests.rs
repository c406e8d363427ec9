//! Taking over what is stale, never what lives.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener as StdListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Barrier;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::{Domain, SockAddr, Socket, Type};
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
    assert_eq!(UnixStream::connect(&path).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    let _door = Door::bind(&unix(&path, 0o660)).unwrap();
    UnixStream::connect(&path).unwrap();
}

#[tokio::test]
async fn a_live_socket_is_never_stolen() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("docker.sock");
    let _owner = StdListener::bind(&path).unwrap();
    let text = refusal(Door::bind(&unix(&path, 0o660)));
    let holder = format!("process {} listens there", std::process::id());
    assert!(text.contains("'local'") && text.contains(&holder), "{text}");
    UnixStream::connect(&path).unwrap();
}

#[tokio::test]
async fn of_two_gates_on_one_socket_one_is_refused() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("docker.sock");
    let first = Door::bind(&unix(&path, 0o660)).unwrap();
    let text = refusal(Door::bind(&unix(&path, 0o660)));
    assert!(text.contains(&format!("another tidewaiter, process {}, holds", std::process::id())), "{text}");
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
    assert!(refusal(Door::bind(&settings)).contains("a process listens there"));
    drop(taken);
    let door = Door::bind(&settings).unwrap();
    let client = std::net::TcpStream::connect(address).unwrap();
    assert_eq!(door.accept().await.remote, Some(client.local_addr().unwrap()));
}

#[tokio::test]
async fn a_socket_gets_its_owner_and_group() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("docker.sock");
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    // Only root may give files away.
    let (owner, group) = if uid.is_root() { (4711, 4712) } else { (uid.as_raw(), gid.as_raw()) };
    let address = Address::Unix { path: path.clone(), mode: 0o660, owner: Some(owner), group: Some(group) };
    let _door = Door::bind(&Settings { name: "local".into(), address }).unwrap();
    let made = path.metadata().unwrap();
    assert_eq!((made.uid(), made.gid(), made.mode() & 0o7777), (owner, group, 0o660));
}

#[tokio::test]
async fn the_longest_path_works_and_one_more_byte_does_not() {
    let dir = TempDir::new().unwrap();
    let room = super::claim::MAX_PATH - dir.path().as_os_str().len() - 1;
    let path = dir.path().join("x".repeat(room));
    let _door = Door::bind(&unix(&path, 0o660)).unwrap();
    UnixStream::connect(&path).unwrap();
    assert!(refusal(Door::bind(&unix(&dir.path().join("x".repeat(room + 1)), 0o660))).contains("107 bytes"));
}

#[test]
fn of_two_that_race_for_a_stale_socket_exactly_one_wins() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    for _round in 0..20 {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("docker.sock");
        drop(StdListener::bind(&path).unwrap());
        let start = Barrier::new(2);
        let race = || {
            let _inside = runtime.enter();
            start.wait();
            Door::bind(&unix(&path, 0o660))
        };
        let results = std::thread::scope(|scope| {
            let racers = [scope.spawn(race), scope.spawn(race)];
            racers.map(|racer| racer.join().unwrap())
        });
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
        UnixStream::connect(&path).unwrap();
    }
}

#[tokio::test]
async fn an_owner_with_a_full_backlog_is_alive_and_hangs_nobody() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("docker.sock");
    let address = SockAddr::unix(&path).unwrap();
    let hung = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    hung.bind(&address).unwrap();
    hung.listen(0).unwrap();
    let mut waiting = Vec::new();
    loop {
        let client = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        client.set_nonblocking(true).unwrap();
        let connected = client.connect(&address);
        waiting.push(client);
        if connected.is_err() {
            break;
        }
    }
    assert!(refusal(Door::bind(&unix(&path, 0o660))).contains("a process listens there"));
}

#[tokio::test]
async fn what_stands_in_the_way_of_the_lock_is_not_touched() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("docker.sock");
    let target = dir.path().join("target");
    symlink(&target, dir.path().join("docker.sock.lock")).unwrap();
    assert!(refusal(Door::bind(&unix(&path, 0o660))).contains("cannot open its lock file"));
    assert!(!target.exists(), "made through the symlink");
}

#[tokio::test]
async fn clients_see_the_name_of_the_door_and_no_other() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("docker.sock");
    drop(StdListener::bind(&path).unwrap());
    let _door = Door::bind(&unix(&path, 0o660)).unwrap();
    let peer = UnixStream::connect(&path).unwrap().peer_addr().unwrap();
    assert_eq!(peer.as_pathname(), Some(path.as_path()));
}

#[tokio::test]
async fn a_directory_is_made_but_not_a_tree_and_not_used_if_anybody_may_write_there() {
    let dir = TempDir::new().unwrap();
    assert!(
        refusal(Door::bind(&unix(&dir.path().join("a/b/docker.sock"), 0o660))).contains("cannot make its directory")
    );
    let path = dir.path().join("open/docker.sock");
    std::fs::create_dir(dir.path().join("open")).unwrap();
    std::fs::set_permissions(dir.path().join("open"), Permissions::from_mode(0o777)).unwrap();
    assert!(refusal(Door::bind(&unix(&path, 0o660))).contains("anybody may write"));
    std::fs::set_permissions(dir.path().join("open"), Permissions::from_mode(0o1777)).unwrap();
    Door::bind(&unix(&path, 0o660)).unwrap();
}

/// Runs in a process of its own: the limit is everybody's.
#[test]
fn a_door_outlives_running_out_of_descriptors() {
    const INSIDE: &str = "TIDEWAITER_TEST_EMFILE";
    if std::env::var_os(INSIDE).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(run_out_and_recover());
    }
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "listen::tests::a_door_outlives_running_out_of_descriptors"]);
    assert!(again.env(INSIDE, "1").stdout(Stdio::null()).status().unwrap().success());
}

async fn run_out_and_recover() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("docker.sock");
    let door = Door::bind(&unix(&path, 0o660)).unwrap();
    let mut trouble = door.trouble();
    let _waits_in_the_backlog = UnixStream::connect(&path).unwrap();
    let (_soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 64, hard).unwrap();
    let mut all = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        all.push(file);
    }
    assert!(!all.is_empty());

    let told = async {
        trouble.changed().await.unwrap();
        let now = trouble.borrow_and_update().clone();
        assert!(now.error.is_some_and(|error| error.contains("Too many open files")));
        all.clear();
    };
    let (accepted, ()) = tokio::join!(door.accept(), told);
    assert!(accepted.remote.is_none());
    // At the limit again, at once: it is the same trouble still.
    assert!(!trouble.has_changed().unwrap());
    tokio::select! {
        _nobody = door.accept() => panic!("nobody connected"),
        told = trouble.changed() => told.unwrap(),
    }
    let now = trouble.borrow_and_update().clone();
    assert!(now.error.is_none() && now.count > 0, "{now:?}");
}
