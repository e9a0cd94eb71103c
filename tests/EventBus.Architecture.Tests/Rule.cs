using System.Runtime.CompilerServices;

namespace EventBus.Architecture.Tests;

/// <summary>Ends a test with the offenders by name and what to do about them.</summary>
internal static class Rule
{
    public static void NoOffenders(IEnumerable<string> offenders, string remedy)
    {
        string[] found = [.. offenders.Order(StringComparer.Ordinal)];
        Assert.True(found.Length == 0, $"{remedy}{Environment.NewLine}{string.Join(Environment.NewLine, found)}");
    }

    /// <summary>
    /// The same, for a rule that has exceptions: those in <see cref="Waivers"/>, as long as each excuses something.
    /// </summary>
    public static void NoOffenders(IEnumerable<(string Name, string Where)> offenders, string remedy, [CallerMemberName] string rule = "")
    {
        (string Name, string Where)[] found = [.. offenders];
        var waived = Waivers.All.Where(waiver => waiver.Rule == rule).Select(waiver => waiver.Name).ToHashSet();
        NoOffenders(
            found.Where(offender => !waived.Contains(offender.Name)).Select(offender => $"{offender.Where}: {offender.Name}"),
            remedy);
        NoOffenders(
            waived.Except(found.Select(offender => offender.Name)),
            $"These waivers of {rule} have no effect. Delete them from Waivers.cs:");
    }
}
