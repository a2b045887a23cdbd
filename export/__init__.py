"""HTTP export API, fossils, and the catalogue they show."""
