using System.Runtime.CompilerServices;

namespace EventBus.Architecture.Tests;

/// <summary>Fails a test with the names of the offenders and a remedy.</summary>
internal static class Rule
{
    public static void NoOffenders(IEnumerable<string> offenders, string remedy)
    {
        string[] found = [.. offenders.Order(StringComparer.Ordinal)];
        Assert.True(found.Length == 0, $"{remedy}{Environment.NewLine}{string.Join(Environment.NewLine, found)}");
    }

    /// <summary>
    /// Does the same for a rule with exceptions: those in <see cref="Waivers"/>, each of which must have an effect.
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
