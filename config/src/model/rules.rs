//! Header and number rules, as they are written.

/// Something written, and where; equal to the same thing elsewhere.
#[derive(Clone, Debug)]
pub struct Placed<T> {
    /// What.
    pub value: T,
    /// Where.
    pub place: Place,
}

impl<T: PartialEq> PartialEq for Placed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Placed<T> {}

/// Where something stands in the file; any place is equal to any other, since moving a line changes nothing.
#[derive(Clone, Debug)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The field.
    pub field: String,
}

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Place {}

/// What is done to a trunk's messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Where it begins.
    pub place: Place,
    /// Its name in what is told of it.
    pub name: String,
    /// Which messages.
    pub direction: Direction,
    /// Requests or responses.
    pub on: RuleOn,
    /// Methods; any when empty.
    pub methods: Vec<Placed<String>>,
    /// Statuses, or classes of them; any when empty.
    pub statuses: Vec<Placed<String>>,
    /// What must hold, all of it.
    pub when: Vec<RuleCondition>,
    /// What is done, in order.
    pub actions: Vec<RuleAction>,
    /// Whether it is the last for the messages that it is for.
    pub stop: bool,
}

/// Which way messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To us.
    In,
    /// From us.
    Out,
}

/// What kind of message a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleOn {
    /// Requests.
    Request,
    /// Responses.
    Response,
}

/// What of a header a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleSubject {
    /// The whole value.
    Value,
    /// The user part of each address in it.
    User,
}

/// What must hold of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleCondition {
    /// What of the header.
    pub subject: RuleSubject,
    /// The header, or `Request-URI`.
    pub field: Placed<String>,
    /// What must hold of it.
    pub test: RuleTest,
}

/// What must hold of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleTest {
    /// The message has it.
    Present,
    /// The message does not have it.
    Absent,
    /// One of its values matches.
    Matches(Placed<String>),
    /// None of its values matches.
    Differs(Placed<String>),
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleAction {
    /// Takes out lines of a header, all or those that match.
    Remove {
        /// The header.
        field: Placed<String>,
        /// The pattern.
        matching: Option<Placed<String>>,
    },
    /// Replaces what a pattern matches.
    Replace {
        /// What of the header.
        subject: RuleSubject,
        /// The header.
        field: Placed<String>,
        /// The pattern.
        pattern: Placed<String>,
        /// What stands in its place.
        with: Placed<String>,
    },
    /// Gives the addresses of a header another user.
    SetUser {
        /// The header.
        field: Placed<String>,
        /// The user.
        value: Placed<String>,
    },
    /// Adds a header.
    Add {
        /// The header.
        field: Placed<String>,
        /// Its value.
        value: Placed<String>,
    },
}

/// The form of a trunk's numbers; as they are where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberForms {
    /// The country whose national numbers are understood, by two letters.
    pub country: Placed<String>,
    /// Whether numbers come with their country's code first even without `+`, and never as dialled in the country.
    pub e164_without_plus: bool,
    /// Of those that come.
    pub inbound: Option<NumberFormat>,
    /// Of those that leave.
    pub outbound: Option<NumberFormat>,
}

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberFormat {
    /// `+4930123456`.
    Plus,
    /// `4930123456`.
    Digits,
    /// `004930123456`.
    Zeros,
    /// `030123456` within the country, `004930123456` elsewhere.
    National,
}
