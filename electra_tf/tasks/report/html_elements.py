"""HTML as elements, so that every text is escaped by the library that writes them."""

import re
import xml.etree.ElementTree as ElementTree


def tag(element_name, /, *children, **attributes):
    """An element.

    Args:
        element_name: such as "p".
        *children: elements, or texts as they are, which are escaped when the page is written.
        **attributes: a final underscore is dropped, others become hyphens: class_="wide", aria_label="curve".

    >>> html_text(tag("p", "1 < 2 ", tag("b", "yes"), class_="note"))   # '<p class="note">1 &lt; 2 <b>yes</b></p>'
    """
    element = ElementTree.Element(
        element_name, {key.removesuffix("_").replace("_", "-"): str(value) for key, value in attributes.items()})
    for child in children:
        if not isinstance(child, str):
            element.append(child)
        elif len(element):
            element[-1].tail = (element[-1].tail or "") + child
        else:
            element.text = (element.text or "") + child
    return element


def html_text(element):
    """An element as text."""
    return ElementTree.tostring(element, encoding="unicode", method="html")


def svg_element(text):
    """An SVG document as an element for a page: without name spaces, fixed size, and names that nothing refers to."""
    root = ElementTree.fromstring(text)
    referred = set(re.findall(r"(?:url\(|href=\")#([^)\"]+)", text))
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        for name in list(element.attrib):
            element.attrib[name.rpartition("}")[2]] = element.attrib.pop(name)
        if element.get("id") not in referred:
            element.attrib.pop("id", None)
    for metadata in root.findall("metadata"):
        root.remove(metadata)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    return root
