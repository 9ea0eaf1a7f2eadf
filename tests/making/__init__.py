"""What tests are made of: small models, data, reports, commands and servers, for every room that needs them."""
