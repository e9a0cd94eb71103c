using System.Text;

namespace EventBus.Load;

/// <summary>
/// Writes what makes a row over a broker trustworthy: how long it was warmed up, and for a missed bar where the time
/// goes.
/// </summary>
internal static class RowChecks
{
    // Beyond it a trend is significant at 5 %.
    private const double Significant = 1.96;

    /// <summary>
    /// Writes how long the rows over brokers were warmed up, and whether their ratio still moved afterwards.
    /// </summary>
    public static string WarmUps(IReadOnlyList<ResultFile> files)
    {
        var findings = new Findings(files);
        var table = new MarkdownTable(
            "row",
            "warm-up: raw, EventBus",
            "CPU an event of EventBus: first, last",
            "the compiler's share afterwards: raw, EventBus",
            "rounds",
            "trend of the ratio",
            "trend of CPU");
        var rows = 0;
        foreach (var (arena, mode) in Bars.Rows)
        {
            if (findings.Of(ContenderKind.Raw, arena, mode) is { WarmUp: { } ofRaw } raw
                && findings.Of(ContenderKind.Bus, arena, mode) is { WarmUp: { } ofBus } bus)
            {
                rows++;
                table.Add([
                    $"{Titles.Of(arena)}, {Titles.Of(mode)}", $"{ofRaw.Rounds}, {ofBus.Rounds} rounds",
                    $"{Titles.Time(ofBus.FirstCpu)}, {Titles.Time(ofBus.LastCpu)}", $"{Compiling(raw)}, {Compiling(bus)}",
                    $"{Math.Min(raw.Rounds.Count, bus.Rounds.Count)}",
                    Trend(bus.TrendTo(raw, sample => sample.EventsPerSecond)), Trend(bus.TrendTo(raw, sample => sample.Cpu))]);
            }
        }

        return rows == 0 ? "Not measured." : table.ToString();
    }

    public static string Profiles(IReadOnlyList<ResultFile> files)
    {
        var text = new StringBuilder();
        foreach (var row in files.SelectMany(file => file.Profiles ?? []).GroupBy(profile => (profile.Arena, profile.Mode)))
        {
            text.Append($"**{Titles.Of(row.Key.Arena)}, {Titles.Of(row.Key.Mode)}**\n\n");
            var profiles = row.ToList();
            var table = new MarkdownTable(
                ["", .. profiles.Select(profile => Titles.Contender(profile.Contender, row.Key.Arena.Transport))]);
            table.Add(["CPU an event", .. profiles.Select(profile => Titles.Time(profile.Cpu))]);
            foreach (var area in profiles.SelectMany(profile => profile.Areas).Select(share => share.Name).Distinct())
            {
                table.Add([area, .. profiles.Select(profile => TimeOf(profile, area))]);
            }

            text.Append(table).Append('\n').Append(Methods(profiles)).Append('\n');
        }

        return text.Length == 0 ? "No profile: no bar was missed, or the run made none." : text.ToString();
    }

    private static string Methods(IReadOnlyList<Profile> profiles) => string.Concat(profiles
        .Where(profile => profile.Methods.Count > 0)
        .Select(profile => $"* {Titles.Contender(profile.Contender, profile.Arena.Transport)}, by {profile.Method}: "
            + $"{string.Join(", ", profile.Methods.Select(share => $"`{share.Name}` {share.Part:0 %}"))}.\n"));

    private static string TimeOf(Profile profile, string area) =>
        profile.Areas.FirstOrDefault(share => share.Name == area) is { } share ? Titles.Time(share.Part * profile.Cpu) : "";

    private static string Compiling(Series series) =>
        $"{series.Rounds.Sum(sample => sample.Compiling) / Math.Max(1e-9, series.Rounds.Sum(sample => sample.Cpu)):0.0 %}";

    private static string Trend(double z) => Math.Abs(z) < Significant ? "none" : z > 0 ? $"**rises** ({z:0.0})" : $"**falls** ({z:0.0})";
}
