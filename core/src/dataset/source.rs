//! Data by whatever a person calls it: a name, a folder, a pair of IDX files, a CSV.
//!
//! | DATA | train | test |
//! | --- | --- | --- |
//! | `digits` | drawn by the program itself | drawn with another seed |
//! | `mnist`, `fashion-mnist` | the `train` files of that folder | its `t10k` files |
//! | a folder of IDX files | its `train` files | its `t10k` files, if there |
//! | an IDX pair `IMAGES,LABELS`, or IMAGES alone with the labels beside it | the pair | - |
//! | a CSV | all of it | - |
//!
//! The folder of a name is looked for in the given folder and nowhere else; where none is given, in `$MLP_FAST_DATA` and
//! then in `data`. The IDX files of a folder are `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`,
//! `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, with or without `.gz`.

use std::path::{Path, PathBuf};

use crate::dataset::options::{ClassChoice, Expected, LabelUse, ReadOptions};
use crate::dataset::suggest::closest;
use crate::dataset::{Dataset, Inputs, csv, digits, idx};
use crate::error::{Error, Kind};

/// The environment variable that names the folder of data sets.
pub const DATA_VARIABLE: &str = "MLP_FAST_DATA";

/// The names of data sets.
pub const NAMES: [&str; 3] = ["digits", "mnist", "fashion-mnist"];

/// How a CSV becomes inputs and targets: [`csv::read`], or another way to the same.
pub type CsvReader = fn(&Path, &ReadOptions) -> Result<csv::Csv, Error>;

/// How to open data.
#[derive(Clone, Debug)]
pub struct SourceOptions {
    /// Where the folder of a named data set is; by default it is looked for.
    pub data_dir: Option<PathBuf>,
    /// How to read what is there.
    pub read: ReadOptions,
    /// Who reads a CSV that is to be trained on or measured by; [`csv::read`] by default.
    pub csv: CsvReader,
    /// The rows of `digits` to draw for training; for testing, a fifth as many.
    pub digits_rows: Option<usize>,
    /// The seed of `digits`.
    pub seed: u64,
}

impl Default for SourceOptions {
    fn default() -> Self {
        Self {
            data_dir: None,
            read: ReadOptions::default(),
            csv: csv::read,
            digits_rows: None,
            seed: 0,
        }
    }
}

/// Data to train on.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The rows to train on.
    pub train: Dataset,
    /// The rows that the source itself sets apart for testing.
    pub test: Option<Dataset>,
    /// What to call the data: its name, or the path as it was given.
    pub name: String,
    /// The label column of a CSV: its name, or its number in a file without names.
    pub label: Option<String>,
}

/// Opens data to train on; with [`ReadOptions::expected`], to train a model further on, by whose columns and classes it is
/// read.
///
/// # Errors
/// When there is no such data, it is not as it should be, or it does not fit the model.
pub fn open(data: &str, options: &SourceOptions) -> Result<Loaded, Error> {
    let (train, test, label) = match Source::find(data, options)? {
        Source::Digits => {
            let train = digits(options, false)?;
            (train, Some(digits(options, true)?), None)
        }
        Source::Folder(folder) => {
            let train =
                Pair::in_folder(&folder, "train").ok_or_else(|| no_files(&folder, "train"))?;
            let train = train.read()?;
            let test = Pair::in_folder(&folder, "t10k")
                .map(|pair| pair.read_beside(&train, &options.read))
                .transpose()?;
            (train, test, None)
        }
        Source::Pair(pair) => (pair.read()?, None, None),
        Source::Csv(path) => {
            let (train, label) = read_csv(data, &path, options)?;
            return loaded(data, (train, None, label));
        }
    };
    let of_classes = |rows| of_classes(rows, &options.read).map_err(|error| error.at(data));
    let test = test.map(of_classes).transpose()?;
    loaded(data, (of_classes(train)?, test, label))
}

fn loaded(
    data: &str,
    (train, test, label): (Dataset, Option<Dataset>, Option<String>),
) -> Result<Loaded, Error> {
    train.several_classes().map_err(|error| error.at(data))?;
    Ok(Loaded {
        train,
        test,
        name: data.to_owned(),
        label,
    })
}

/// Whether that data is a table, whose columns can be chosen from: a CSV, and no images.
///
/// # Errors
/// When there is no such data.
pub fn is_table(data: &str, options: &SourceOptions) -> Result<bool, Error> {
    Source::find(data, options).map(|source| matches!(source, Source::Csv(_)))
}

/// Opens labelled data to evaluate on: the test part of a source that has one, else all of it. With
/// [`ReadOptions::expected`] the columns and the classes are numbered as the model has them.
///
/// # Errors
/// When there is no such data, it is not as it should be, or it does not fit the model.
pub fn open_test(data: &str, options: &SourceOptions) -> Result<Dataset, Error> {
    let dataset = match Source::find(data, options)? {
        Source::Digits => digits(options, true)?,
        Source::Folder(folder) => Pair::in_folder(&folder, "t10k")
            .ok_or_else(|| no_files(&folder, "t10k"))?
            .read()?,
        Source::Pair(pair) => pair.read()?,
        Source::Csv(path) => return read_csv(data, &path, options).map(|(rows, _)| rows),
    };
    of_classes(dataset, &options.read).map_err(|error| error.at(data))
}

/// A CSV and its label column.
fn read_csv(
    data: &str,
    path: &Path,
    options: &SourceOptions,
) -> Result<(Dataset, Option<String>), Error> {
    let csv = (options.csv)(path, &options.read)?;
    let label = csv.label.clone();
    let place = |error: Error| error.at(data);
    let rows = csv.into_dataset().map_err(place)?;
    let rows = match options.read.choice {
        ClassChoice::All => rows,
        _ => of_classes(rows, &options.read).map_err(place)?,
    };
    Ok((rows, label))
}

/// Rows of images, of the classes chosen, and numbered as the model has them.
fn of_classes(rows: Dataset, options: &ReadOptions) -> Result<Dataset, Error> {
    let rows = options.choice.of(rows)?;
    match &options.expected {
        None => Ok(rows),
        Some(expected) => fit_to(rows, expected),
    }
}

/// Opens inputs to predict from: labels, if there are any, are left out. Of a source that has a test part, that part.
///
/// # Errors
/// When there is no such data, it is not as it should be, or it does not fit the model.
pub fn open_inputs(data: &str, options: &SourceOptions) -> Result<Inputs, Error> {
    let inputs = match Source::find(data, options)? {
        Source::Digits => digits(options, true)?.into_inputs(),
        Source::Folder(folder) => {
            let images =
                find_file(&folder, "t10k", "images", 3).ok_or_else(|| no_files(&folder, "t10k"))?;
            idx::read_images(&images)?
        }
        Source::Pair(pair) => idx::read_images(&pair.images)?,
        Source::Csv(path) => {
            let mut read = options.read.clone();
            read.labels = LabelUse::Ignored;
            return Ok(csv::read(&path, &read)?.inputs);
        }
    };
    if let Some(expected) = &options.read.expected {
        check_width(&inputs, expected).map_err(|error| error.at(data))?;
    }
    Ok(inputs)
}

/// Where data is.
enum Source {
    Digits,
    Folder(PathBuf),
    Pair(Pair),
    Csv(PathBuf),
}

impl Source {
    fn find(data: &str, options: &SourceOptions) -> Result<Self, Error> {
        if data == "digits" {
            return Ok(Self::Digits);
        }
        if NAMES.contains(&data) {
            return find_named(data, options.data_dir.as_deref()).map(Self::Folder);
        }
        let path = PathBuf::from(data);
        if path.is_dir() {
            return Ok(Self::Folder(path));
        }
        if !path.exists() {
            if let Some((images, labels)) = data.split_once(',') {
                return Ok(Self::Pair(Pair {
                    images: images.trim().into(),
                    labels: Some(labels.trim().into()),
                }));
            }
            return Err(unknown(data));
        }
        // A pipe can be read only once, so its first bytes must not be looked at.
        if !path.is_file() {
            return Ok(Self::Csv(path));
        }
        match idx::sort_of(&path) {
            Ok(idx::Sort::Images) => Ok(Self::Pair(Pair {
                labels: labels_beside(&path),
                images: path,
            })),
            Ok(idx::Sort::Labels) => Err(Error::new(
                Kind::Data,
                "this file holds labels: name the file of the images",
            )
            .at(data)),
            // What is wrong with a file that is no IDX either, the reader of CSV will tell.
            Ok(idx::Sort::Other) | Err(_) => Ok(Self::Csv(path)),
        }
    }
}

/// A file of images and the file of their labels.
struct Pair {
    images: PathBuf,
    labels: Option<PathBuf>,
}

impl Pair {
    /// The files whose names start with `part`.
    fn in_folder(folder: &Path, part: &str) -> Option<Self> {
        Some(Self {
            images: find_file(folder, part, "images", 3)?,
            labels: Some(find_file(folder, part, "labels", 1)?),
        })
    }

    fn read(&self) -> Result<Dataset, Error> {
        match &self.labels {
            Some(labels) => idx::read_pair(&self.images, labels),
            None => Err(Error::new(
                Kind::Data,
                "the labels of these images are not beside them: name both files as IMAGES,LABELS",
            )
            .at(self.images.display().to_string())),
        }
    }

    /// The rows to test on, with the columns and classes of those to train on; or, if a model is to know them, with
    /// whatever classes they have.
    fn read_beside(&self, train: &Dataset, options: &ReadOptions) -> Result<Dataset, Error> {
        let test = self.read()?;
        let (told, found) = (train.inputs().cols(), test.inputs().cols());
        if told != found {
            return Err(Error::new(
                Kind::Data,
                format!("images of {found} pixels, and those to train on have {told}"),
            )
            .at(self.images.display().to_string()));
        }
        // Those of each part are 0, 1, .. up to its greatest label.
        let names = train.targets().names();
        if options.expected.is_some() && names.len() < test.targets().names().len() {
            return Ok(test);
        }
        let labels = self.labels.as_ref().unwrap_or(&self.images);
        test.with_classes(names)
            .map_err(|error| error.at(labels.display().to_string()))
    }
}

/// The names that an IDX file has, packed first.
fn file_names(part: &str, what: &str, dimensions: usize) -> [String; 4] {
    [("-", ".gz"), ("-", ""), (".", ".gz"), (".", "")]
        .map(|(dash, ending)| format!("{part}-{what}{dash}idx{dimensions}-ubyte{ending}"))
}

fn find_file(folder: &Path, part: &str, what: &str, dimensions: usize) -> Option<PathBuf> {
    let names = file_names(part, what, dimensions);
    names
        .iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
}

/// The file of labels that goes with a file of images by its name, if it is there.
fn labels_beside(images: &Path) -> Option<PathBuf> {
    let name = images.file_name()?.to_str()?;
    if !name.contains("images") {
        return None;
    }
    let labels = name.replace("images", "labels").replace("idx3", "idx1");
    let other = match labels.strip_suffix(".gz") {
        Some(unpacked) => unpacked.to_owned(),
        None => format!("{labels}.gz"),
    };
    [labels, other]
        .iter()
        .map(|name| images.with_file_name(name))
        .find(|path| path.is_file())
}

fn no_files(folder: &Path, part: &str) -> Error {
    let missing: Vec<String> = [("images", 3), ("labels", 1)]
        .into_iter()
        .filter(|&(what, dimensions)| find_file(folder, part, what, dimensions).is_none())
        .map(|(what, dimensions)| {
            let [name, ..] = file_names(part, what, dimensions);
            name
        })
        .collect();
    let files = if missing.len() == 1 { "file" } else { "files" };
    let missing = missing.join(" and ");
    Error::new(
        Kind::Io,
        format!("the folder has no IDX {files} {missing} (packed or not)"),
    )
    .at(folder.display().to_string())
}

fn find_named(name: &str, data_dir: Option<&Path>) -> Result<PathBuf, Error> {
    let variable = std::env::var_os(DATA_VARIABLE).filter(|value| !value.is_empty());
    let mut places = Vec::new();
    if let Some(folder) = data_dir {
        places.push(folder.join(name));
    } else {
        places.extend(variable.map(|folder| Path::new(&folder).join(name)));
        places.push(Path::new("data").join(name));
    }
    if let Some(found) = places.iter().find(|place| place.is_dir()) {
        return Ok(found.clone());
    }
    let looked: Vec<String> = places
        .iter()
        .map(|place| place.display().to_string())
        .collect();
    let files = ["train", "t10k"].map(|part| {
        let [images, ..] = file_names(part, "images", 3);
        let [labels, ..] = file_names(part, "labels", 1);
        format!("{images}, {labels}")
    });
    Err(Error::new(
        Kind::Io,
        format!(
            "{name} is not here: put its four IDX files ({}) into the folder {}",
            files.join(", "),
            looked.join(" or ")
        ),
    ))
}

fn unknown(data: &str) -> Error {
    let meant = closest(data, NAMES.into_iter())
        .map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
    let names = NAMES.join(", ");
    Error::new(
        Kind::Io,
        format!("`{data}` is no file, no folder and none of the names {names}{meant}"),
    )
}

fn fit_to(dataset: Dataset, expected: &Expected) -> Result<Dataset, Error> {
    check_width(dataset.inputs(), expected)?;
    match &expected.classes {
        Some(classes) => dataset.with_classes(classes),
        None => Err(Error::new(
            Kind::Data,
            "the model predicts values, and these labels are classes",
        )),
    }
}

fn check_width(inputs: &Inputs, expected: &Expected) -> Result<(), Error> {
    if inputs.cols() == expected.inputs {
        return Ok(());
    }
    Err(Error::new(
        Kind::Data,
        format!(
            "the model has {} inputs, the data {} columns",
            expected.inputs,
            inputs.cols()
        ),
    ))
}

/// The digits to train on, or those to test on, which another seed draws.
fn digits(options: &SourceOptions, test: bool) -> Result<Dataset, Error> {
    let rows = options.digits_rows.unwrap_or(digits::ROWS);
    if test {
        digits::digits(rows.div_ceil(5), !options.seed)
    } else {
        digits::digits(rows, options.seed)
    }
}
