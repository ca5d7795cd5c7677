"""What servers written in Java are installed with."""

COPY = [
    "mvn",
    "-B",
    "-q",
    "-Dstyle.color=never",
    "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies",
    "-DincludeScope=runtime",
    "-DoutputDirectory=lib",
]

POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>userprofiles</groupId>
  <artifactId>databases</artifactId>
  <version>1</version>
  <dependencies>
{dependencies}
  </dependencies>
</project>
"""


def pom(*coordinates):
    """The pom.xml of something that needs `group:artifact:version` each. Ranges would make Maven look for minutes."""
    return POM.format(dependencies="\n".join(dependency(*words.split(":")) for words in coordinates))


def dependency(group, artifact, version):
    names = {"groupId": group, "artifactId": artifact, "version": version}
    return "    <dependency>" + "".join(f"<{key}>{value}</{key}>" for key, value in names.items()) + "</dependency>"
