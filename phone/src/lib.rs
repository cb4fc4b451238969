//! Phones and carriers for demo, load and simulation, on foreign libraries; pure.
