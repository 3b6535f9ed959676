/* SPDX-License-Identifier: MIT */
/*
 * words.c - the raw material of believable records.
 *
 * Chosen to be awkward where real data is: accents, composed and decomposed, right-to-left, emoji
 * with modifiers, quotes, backslashes, slashes, control characters, line separators, blanks at the
 * ends.
 */
#include "words.h"

#define WORDS(name, ...)                                                                           \
	static const char *const name##_list[] = {__VA_ARGS__};                                    \
	const struct words words_##name = {name##_list, sizeof name##_list / sizeof name##_list[0]}

WORDS(first, "Ada", "Mary", "José", "Zoë", "Søren", "Jürgen", "Anaïs", "Łukasz", "Nguyễn", "Chloé",
	"John", "Grace", "Priya", "Oluwaseun", "Mary-Jane", "D'Angelo", "שרה", "محمد", "李",
	"さくら", "Ivan", "Олена", "Beyonce\u0301", "Jean-Luc", "Ann Marie", "Robert \"Bob\"",
	"X Æ A-12", "🌸 Lily", "Ida", "Linus", "Edsger", "Barbara", "Ken", "Dennis", "Margaret",
	"Katherine");
WORDS(last, "Smith", "O'Brien", "García Márquez", "Müller", "Nakamura", "Lovelace", "Hopper",
	"van der Berg", "Ångström", "Đorđević", "Ó Súilleabháin", "כהן", "عبد الله", "王",
	"Smith/Jones", "de la Cruz", "McDonald", "Johnson", "Williams", "Brown", "Núñez",
	"Fitzgerald-Kennedy", "Ng", "Null", "True", "Test", "Ioannou", "Żółć", "St. John",
	"Wolfeschlegelsteinhausenbergerdorff");
WORDS(city, "Springfield", "Portland", "San José", "Montréal", "Coeur d'Alene", "Saint Paul",
	"Winston-Salem", "La Cañada Flintridge", "Austin", "Boise", "Truth or Consequences",
	"Zürich", "Ho Chi Minh City", "O'Fallon", "New York", "Denver", "Tulsa", "Reno");
WORDS(state, "CA", "OR", "TX", "NY", "MN", "CO", "ID", "NC", "Wash.", "Florida", "DC", "QC");
WORDS(country, "US", "USA", "United States", "CA", "MX", "Côte d'Ivoire", "DE", "us");
WORDS(street, "Main St", "Elm Street", "MLK Jr. Blvd", "Calle de la Luna", "5th Ave N",
	"Rue de l'Église", "Lake Shore Dr", "County Road 12\\B", "Broadway", "Unter den Linden",
	"Ocean \"Front\" Walk", "Straße des 17. Juni", "Avenue A/B", "Maple Ct");
WORDS(property, "The Oaks", "Maple Court", "Résidence du Parc", "Sunset Terrace", "Riverside Lofts",
	"One/Two Main", "Casa Ñandú", "Lakeview", "The \"W\" Building", "Harbor Point", "Élysée",
	"Parkside II", "Château Vert", "Willow Creek", "מגדל השרון", "Tower 42", "Birch & Co.",
	".Net Lofts");
WORDS(thing, "General", "Standard", "Parking", "Pet fee", "Rent", "Late fee", "Plumbing", "HVAC",
	"Zillow.com", "Walk-in", "Phone call", "Email", "Tour", "Follow-up", "Lease document",
	"Photo ID", "Kitchen", "Bathroom", "1BR/1BA", "Studio", "High", "Low", "Emergency!", "Open",
	"Closed", "In progress", "Garage #12", "Storage", "Café area", "Other", "N/A",
	"Washer & dryer", "null", "Éclairage", "電気", "Roof", "Application fee", "Move-in special",
	"Utilities", "Internet", "Valet trash");
WORDS(status, "Active", "active", "ACTIVE", "Current", "Past", "Future", "Pending approval",
	"Notice", "Evicted", "Applied", "Approved", "Denied", "Canceled", "Cancelled", "Lead",
	"On hold", "Moved-out");
WORDS(color, "black", "white", "Tan/Brown", "grey", "red", "silver", "#c0ffee", "brindle");
WORDS(animal, "Dog", "Cat", "dog", "Bird", "Fish", "Other", "Emotional support 🐕‍🦺",
	"Reptile");
WORDS(breed, "Labrador", "Siamese", "Mixed", "Löwchen", "Xoloitzcuintli", "unknown", "DSH",
	"Poodle");
WORDS(make, "Toyota", "Honda", "Ford", "Citroën", "Škoda", "Tesla", "Chevrolet", "BMW");
WORDS(company, "Acme Plumbing, Inc.", "Müller & Söhne GmbH", "A/C Experts",
	"Best \"Ever\" Cleaning LLC", "O'Reilly Electric", "Jardinería López", "Zenith Insurance",
	"Lemonade", "State Farm®", "清水工務店");
WORDS(key, "Move-In Source", "score", "Préférence", "legacy id", "a/b", "flags", "ключ",
	"emoji🙂", "quote\\\"d", "Annual Income", "notes", "isVIP", "tags", "", " ",
	"constructor", "__proto__", "ext.ref");
WORDS(vendor, "ENTRATA", "YARDI", "RENTMANAGER", "RESMAN", "REALPAGE_RPX", "BUILDIUM", "APPFOLIO",
	"PROPERTYWARE", "RENTCAFE", "MRI", "REALPAGE", "RENTVINE", "KNOCK", "FUNNEL", "ELISEAI",
	"PROPERTYWARE_REST", "YARDI_REST");
WORDS(number, "A-101", "101", "12B", "0042", "PH/3", "#7", "Unit 9", "1e3", "3½", "B 12",
	"INV-2025-0001", "00000", "7777-01", "G\\1");
WORDS(weekday, "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY");
WORDS(term, "12 months", "MTM", "6", "12", "24 month lease", "Month-to-Month", "0");
WORDS(note, "Called twice, left a message.",
	"Resident said: \"the heat is off again\".\nSent a technician.",
	"Path on the share: C:\\Leases\\2025\\signed.pdf", "Line one\r\nLine two\r\n\tindented\n",
	"Très satisfait, rappeler après 18 h.",
	"🏠🔑 moved in! 👨‍👩‍👧‍👦 👍🏽", "שלום, הדייר ביקש מעלית",
	"يرجى الاتصال غدا", "Balance <b>due</b> & overdue; see https://pms.example.com/t/1?x=1&y=2",
	"trailing blanks   ", "   leading blanks", "tab\tseparated\tvalues", "50% off / 1st month",
	"Zalgo: e\u0301\u0302\u0303", "line\u2028separator and\u00a0no-break",
	"bell \a, escape \x1b[31m, backspace \b, DEL \x7f", "NULL", "0", "-",
	"{\"looks\":\"like json\",\"n\":1.10}", "日本語のメモ。", "'; DROP TABLE residents; --",
	"$HOME `id` $(id)", "Tenant moved out on 3/1; deposit refunded (less $125.00 cleaning).",
	"Ok", "émoji flag 🇫🇷 and 𝒻𝒶𝓃𝒸𝓎");
