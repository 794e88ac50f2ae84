use crate::room::Room;

#[test]
fn an_image_in_the_terminal_and_as_png() {
    let room = Room::new();
    let seen = room.ok("show digits --row 3");
    let mut lines = seen.lines();
    let head = lines.next().unwrap_or_default();
    assert!(head.starts_with("row 3 is `"), "{head}");
    let drawn: Vec<&str> = lines.collect();
    assert!(
        drawn.len() >= 28 && drawn.iter().all(|line| line.chars().count() <= 56),
        "{seen}"
    );
    assert!(seen.contains("██") && !seen.contains('\x1b'), "{seen}");
    // Another row, and the same row of the test part, are other images.
    assert_ne!(seen, room.ok("show digits --row 4"));
    assert_ne!(seen, room.ok("show digits --row 3 --test"));

    let told = room.ok("show digits --row 3 -o three.png");
    assert!(
        told.contains("three.png") && told.starts_with(head.trim_end()),
        "{told}"
    );
    let png = std::fs::read(room.path("three.png")).expect("a file");
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
    // Width and height are in the first chunk: 28 pixels, each ten wide.
    assert_eq!(png[16..24], [0, 0, 1, 24, 0, 0, 1, 24]);
}

#[test]
fn images_of_idx_files_and_tables() {
    let room = Room::new();
    room.write_idx("x-images-idx3-ubyte", "x-labels-idx1-ubyte", 10);
    let seen = room.ok("show x-images-idx3-ubyte --row 1");
    // Label 1: the second of four rows is bright, two characters a pixel.
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(lines[0], "row 1 is `1`");
    assert!(
        lines[2].chars().all(|c| "▓█".contains(c)) && lines[2].chars().count() == 8,
        "{seen}"
    );

    room.write("small.csv", "label,a,b,c,d\nx,0,255,128,0\ny,0,0,0,9\n");
    assert_eq!(room.ok("show small.csv"), "row 0 is `x`\n  ██\n▒▒\n\n");
    room.write_flowers("flowers.csv", 20);
    room.fails(
        "show flowers.csv",
        1,
        &["flowers.csv", "2 columns", "no square"],
    );
    room.fails("show small.csv --row 2", 2, &["--row 2", "2 rows"]);
    for option in ["--row -1", "--skip -1"] {
        room.fails(
            &format!("show small.csv {option}"),
            2,
            &[option, "is not a whole number of 0 or more"],
        );
    }
    room.fails("show small.csv --test", 2, &["--test", "no test part"]);
    room.fails("show small.csv -o small.svg", 2, &["small.svg", ".png"]);
    room.fails("show smal.csv", 1, &["smal.csv"]);
}

#[test]
fn activations_with_their_derivatives() {
    let room = Room::new();
    assert_eq!(room.ok("show activations -o activations.svg"), "");
    let svg = room.read("activations.svg");
    for name in ["sigmoid", "tanh", "relu", "gelu"] {
        assert!(svg.contains(&format!(">{name}<")), "no {name}");
    }
    assert_eq!(room.ok("show activations"), svg);
    room.fails("show activations -o a.png", 2, &["a.png", ".svg"]);
}

#[test]
fn the_map_of_what_is_taken_for_what() {
    let room = Room::new();
    room.ok("train --rows 300 --epochs 1 --quiet");
    let told = room.json("evaluate model.safetensors digits --take 200 --svg map.svg --json");
    let svg = room.read("map.svg");
    let accuracy = 100.0 * told["accuracy"].as_f64().expect("a share");
    assert!(svg.contains(&format!(">200 rows, {accuracy:.2} % right<")));
    let matrix = told["confusion_matrix"].as_array().expect("a matrix");
    for (t, row) in matrix.iter().enumerate() {
        for (p, count) in row.as_array().expect("a row").iter().enumerate() {
            let hint = format!("<title>true {t}, predicted {p}: {count}</title>");
            assert_eq!(svg.contains(&hint), *count != 0, "{hint}");
        }
    }
    room.write_plane("plane.csv");
    room.ok("train plane.csv --quiet --epochs 1 -o plane.safetensors");
    room.fails(
        "evaluate plane.safetensors plane.csv --svg w.svg",
        2,
        &["--svg", "values"],
    );
}

#[test]
fn the_sheet_of_mistakes() {
    let room = Room::new();
    room.ok("train --rows 300 --epochs 1 --quiet");
    let told =
        room.json("evaluate model.safetensors digits --take 200 --mistakes wrong.svg --json");
    let matrix = told["confusion_matrix"].as_array().expect("a matrix");
    let wrong: u64 = matrix
        .iter()
        .enumerate()
        .flat_map(|(t, row)| {
            let row = row.as_array().expect("a row").iter().enumerate();
            row.filter(move |(p, _)| *p != t)
                .map(|(_, n)| n.as_u64().expect("a count"))
        })
        .sum();
    let svg = room.read("wrong.svg");
    assert!(
        wrong > 0 && svg.contains(&format!("{wrong} of 200 rows told wrong")),
        "{wrong}"
    );
    assert_eq!(svg.matches("<image").count() as u64, wrong.min(100));

    for picture in ["--mistakes wrong.png", "--svg wrong.png", "--svg -"] {
        room.fails(
            &format!("evaluate model.safetensors digits {picture}"),
            2,
            &[picture.split(' ').next_back().unwrap_or_default(), ".svg"],
        );
    }
    room.write_plane("plane.csv");
    room.ok("train plane.csv --quiet --epochs 1 -o plane.safetensors");
    room.fails(
        "evaluate plane.safetensors plane.csv --mistakes w.svg",
        2,
        &["--mistakes", "values"],
    );
}
