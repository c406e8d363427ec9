//! The route table against the engine's own list.

use super::*;

/// Every endpoint of the engine: method, pattern, operation, class.
const ENDPOINTS: &str = include_str!("endpoints.txt");

#[test]
fn every_endpoint_of_the_engine_is_known_by_its_name_and_class() {
    let mut rows = 0;
    for line in ENDPOINTS.lines() {
        let [method, pattern, operation, class] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let path = pattern.replace(":.*}", "}").replace(":.+}", "}").replace('{', "x").replace('}', "y");
        for target in [path.clone(), format!("/v1.41{path}")] {
            let asked = ask(method, &target);
            assert_eq!(asked.operation.name(), operation, "{method} {target}");
            assert_eq!(asked.operation.class().name(), class, "{method} {target}");
            assert_eq!(asked.canonical_target(), target);
            assert!(asked.irregularities.is_empty(), "{method} {target}");
        }
        rows += 1;
    }
    assert_eq!(rows, 124);
}

#[test]
fn every_operation_but_the_two_unread_has_an_endpoint() {
    for operation in Operation::ALL {
        let named = |line: &str| line.split(' ').nth(2) == Some(operation.name());
        let unread = matches!(operation, Operation::Libpod | Operation::Unknown);
        assert_ne!(ENDPOINTS.lines().any(named), unread, "{}", operation.name());
        assert_eq!(Operation::from_name(operation.name()), Some(*operation));
    }
    assert_eq!(Operation::from_name("containercreate"), None);
}

#[test]
fn names_may_hold_slashes_and_routes_go_by_their_tails() {
    use Operation as Op;
    let rows = [
        ("POST", "/containers/create/start", Op::ContainerStart, Some("create")),
        ("POST", "/containers/a/b/start", Op::ContainerStart, Some("a/b")),
        ("POST", "/containers/a%2Fb/start", Op::ContainerStart, Some("a/b")),
        ("POST", "/containers/h2%2Dcreated/start", Op::ContainerStart, Some("h2-created")),
        ("POST", "/containers/start", Op::Unknown, None),
        ("GET", "/containers/json/json", Op::ContainerInspect, Some("json")),
        ("GET", "/containers/b/db/json", Op::ContainerInspect, Some("b/db")),
        ("GET", "/containers/x/attach/ws", Op::ContainerAttachWebsocket, Some("x")),
        ("DELETE", "/containers/create", Op::ContainerDelete, Some("create")),
        ("DELETE", "/containers/", Op::ContainerDelete, Some("")),
        ("DELETE", "/containers/a/b/checkpoints/c", Op::ContainerDelete, Some("a/b/checkpoints/c")),
        ("DELETE", "/containers/a/checkpoints/c", Op::CheckpointDelete, Some("a")),
        ("GET", "/images/docker.io/library/busybox/json", Op::ImageInspect, Some("docker.io/library/busybox")),
        ("GET", "/images/busybox:1.0/get", Op::ImageGet, Some("busybox:1.0")),
        ("GET", "/distribution/127.0.0.1:1/x/json", Op::DistributionInspect, Some("127.0.0.1:1/x")),
        ("GET", "/volumes/", Op::VolumeInspect, Some("")),
        ("GET", "/networks/", Op::NetworkList, None),
        ("POST", "/plugins/h2/p/set", Op::PluginSet, Some("h2/p")),
        ("GET", "/services/a/b", Op::Unknown, None),
        ("POST", "/secrets/create/update", Op::SecretUpdate, Some("create")),
    ];
    for (method, target, operation, resource) in rows {
        let asked = ask(method, target);
        assert_eq!((asked.operation, asked.resource.as_deref()), (operation, resource), "{method} {target}");
    }
    assert_eq!(ask("DELETE", "/containers/a/checkpoints/c").checkpoint.as_deref(), Some("c"));
}

#[test]
fn what_is_no_endpoint_is_unknown() {
    let rows = [
        ("PUT", "/containers/create"),
        ("GET", "/containers/create"),
        ("post", "/containers/create"),
        ("HEAD", "/containers/x/json"),
        ("HEAD", "/info"),
        ("PATCH", "/containers/x/update"),
        ("POST", "/containers/create/"),
        ("POST", "/Containers/create"),
        ("POST", "/V1.41/containers/create"),
        ("POST", "/containers/create;x=1"),
        ("POST", "/containers/create%20"),
        ("POST", "/v/containers/create"),
        ("POST", "/v1.41/v1.41/containers/create"),
        ("POST", "/v1.41"),
        ("POST", "/v1.41/engine/secret-new-endpoint"),
        ("POST", "/containers/a%0Ab/start"),
        ("GET", "/containers"),
        ("GET", "/"),
        ("GET", "*"),
        ("GET", "/_ping/"),
        ("PRI", "*"),
    ];
    for (method, target) in rows {
        let asked = ask(method, target);
        assert_eq!(asked.operation, Operation::Unknown, "{method} {target}");
        assert_eq!(asked.canonical_target(), target);
        assert!(asked.operation.has_effect());
    }
}

#[test]
fn all_of_podmans_own_api_is_one_operation() {
    for target in ["/v4.3.1/libpod/containers/create", "/v5.0.0/libpod/kube/play", "/libpod/_ping"] {
        for method in ["POST", "GET", "DELETE", "LINK"] {
            let asked = ask(method, target);
            assert_eq!(asked.operation, Operation::Libpod);
            assert_eq!(asked.class(), Class::Unknown);
            assert_eq!(asked.canonical_target(), target);
        }
    }
}

#[test]
fn an_image_is_pulled_only_if_fromimage_names_one() {
    let rows = [
        ("?fromImage=busybox&tag=1.0", Class::ImagesPull),
        ("?fromSrc=http://127.0.0.1:1/x.tar&repo=busybox", Class::ImagesMint),
        ("?fromSrc=-", Class::ImagesMint),
        ("?fromImage=&fromImage=busybox", Class::ImagesMint),
        ("?FROMIMAGE=busybox", Class::ImagesMint),
        ("?from%49mage=busybox", Class::ImagesPull),
        ("", Class::ImagesMint),
    ];
    for (query, class) in rows {
        assert_eq!(ask("POST", &format!("/v1.41/images/create{query}")).class(), class, "{query}");
    }
    assert_eq!(ask("POST", "/images/load").class(), Class::ImagesMint);
}

#[test]
fn selectors_cover_what_they_name_and_images_most_of_its_own() {
    let covered: Vec<_> = Operation::ALL
        .iter()
        .map(|operation| operation.class())
        .filter(|class| class.is_covered_by("images"))
        .map(Class::name)
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect();
    assert_eq!(covered, ["images.manage", "images.pull", "images.push"]);
    assert!(!Class::BuildSession.is_covered_by("build"));
    assert!(!Class::Unknown.is_covered_by("unknown"));
    for operation in Operation::ALL {
        let class = operation.class();
        assert_eq!(class.is_covered_by(class.name()), class != Class::Unknown);
        assert_eq!(class.is_covered_by("read"), class == Class::Read);
        assert_eq!(Class::ALL_SELECTORS.contains(&class.name()), class != Class::Unknown);
    }
}

#[test]
fn the_hijacking_and_judged_operations_are_these() {
    let named = |wanted: fn(Operation) -> bool| -> Vec<_> {
        Operation::ALL.iter().copied().filter(|operation| wanted(*operation)).map(Operation::name).collect()
    };
    assert_eq!(named(Operation::hijacks), ["ContainerAttach", "ExecStart"]);
    assert_eq!(named(Operation::upgrades), ["ContainerAttachWebsocket", "Session", "Grpc"]);
    let judged = [
        "ContainerCreate",
        "ContainerStart",
        "ContainerUpdate",
        "ContainerExec",
        "ExecStart",
        "CheckpointCreate",
        "VolumeCreate",
        "NetworkCreate",
        "NetworkConnect",
        "NetworkDisconnect",
        "ServiceCreate",
        "ServiceUpdate",
    ];
    assert_eq!(named(|operation| operation.body_plan() == BodyPlan::Judge), judged);
}
