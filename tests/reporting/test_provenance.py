from musemo_hf.reporting.provenance import PROCEDURAL, caveats


def test_only_songs_with_labels_of_people_go_without_a_caveat():
    assert caveats({"name": "DEAM", "procedural": False}) == []
    assert caveats({"name": "demonstration corpus", "procedural": True}) == [PROCEDURAL]
    name = "3 songs of jazz, pseudo-labels by a recogniser"
    (said,) = caveats({"name": name, "procedural": False, "heard": True, "n_unknown_artists": 0})
    assert said.startswith(f"The emotions of this corpus ({name}) are predicted by a recogniser")
    *_, unknown = caveats({"name": name, "procedural": False, "heard": True, "n_unknown_artists": 2})
    assert unknown.startswith("The artists of 2 of its songs are not known.")
