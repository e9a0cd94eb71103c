// Opens packages, lists their contents, and checks what a publisher would check.
//
// Arguments: the folder of the packages, their version, the address of the repository (may be empty), and then the
// folders of the machine whose paths must not be in a package, the repository first.
using EventBus.Packages;

var (feed, version, address, folders) = (args[0], args[1], args[2], args[3..]);
var packages = Directory.GetFiles(feed, "*.nupkg").Order(StringComparer.Ordinal).ToArray();
var failed = 0;
var texts = new Dictionary<string, string>(StringComparer.Ordinal);
foreach (var path in packages)
{
    using var package = new PackageFile(path);
    var findings = new Findings();
    FileCheck.Run(package, folders[0], findings);
    NuspecCheck.Run(package, version, address, findings);
    TextCheck.Run(package, address, texts, findings);
    AssemblyCheck.Run(package, address, folders, findings);
    Console.WriteLine($"== {package.Id} {version}, {package.Files.Count} files");
    package.Files.ForEach(file => Console.WriteLine($"   {file.FullName}, {(file.Length + 1023) / 1024} KB"));
    findings.Notes.ForEach(note => Console.WriteLine($"   {note}"));
    findings.Errors.ForEach(error => Console.WriteLine($"!! {package.Id}: {error}"));
    failed += findings.Errors.Count;
}

if (packages.Length == 0)
{
    Console.WriteLine($"!! there are no packages in {feed}");
}

return packages.Length == 0 || failed > 0 ? 1 : 0;
