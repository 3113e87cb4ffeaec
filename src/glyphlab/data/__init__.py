"""Where glyphs come from: public sets, folders and files, and what is wrong with them."""
