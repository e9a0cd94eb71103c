using System.Text;

namespace EventBus.Load;

/// <summary>
/// Writes the tables for more subscriptions and larger events: the bus next to the raw client, and all contenders where
/// all were measured.
/// </summary>
internal sealed class AxisTables(ContenderTables tables)
{
    private readonly Arena baseArena = new(tables.Transport);

    public override string ToString()
    {
        var others = tables.All.Where(series => series.Arena != baseArena)
            .Select(series => (series.Arena, series.Mode))
            .Distinct()
            .ToList();
        if (others.Count == 0)
        {
            return "";
        }

        var text = new StringBuilder().Append($"More subscriptions, larger events; {Titles.Of(others[0].Mode)}.\n\n");
        var table = new MarkdownTable(
            "",
            tables.RawTitle,
            "**EventBus**",
            "ratio",
            "bytes an event: raw",
            "**EventBus**",
            "peak memory: raw",
            "**EventBus**");
        foreach (var (arena, mode) in others.Prepend((baseArena, others[0].Mode)))
        {
            var (raw, bus) = (tables.Find(ContenderKind.Raw, arena, mode), tables.Find(ContenderKind.Bus, arena, mode));
            table.Add([
                mode == others[0].Mode ? Name(arena) : $"{Name(arena)}; {Titles.Of(mode)}",
                Cells.Rate(raw), Cells.Rate(bus), Cells.Ratio(bus, raw, sample => sample.EventsPerSecond),
                Cells.Bytes(raw), Cells.Bytes(bus), Cells.Peak(raw), Cells.Peak(bus)]);
        }

        text.Append(table);
        foreach (var (arena, mode) in others.Where(other => Contenders(other.Arena, other.Mode).Count > 2))
        {
            text.Append($"\nEverybody with {Name(arena)}; {Titles.Of(mode)}.\n\n").Append(AllContenders(arena, mode));
        }

        return text.ToString();
    }

    private static string Name(Arena arena) =>
        $"{Titles.Count(arena.Subscriptions, "subscription")}, {Titles.Size(arena.Size)}{Titles.OfPartitions(arena)}";

    private MarkdownTable AllContenders(Arena arena, Mode mode)
    {
        var table = new MarkdownTable("", "throughput", "CPU an event", "bytes an event", "peak memory");
        var raw = tables.Find(ContenderKind.Raw, arena, mode);
        foreach (var name in Contenders(arena, mode))
        {
            var one = tables.Find(name, arena, mode);
            var title = Titles.Contender(name, tables.Transport);
            table.Add(one is { Problem: not null }
                ? [title, Cells.Rate(one)]
                : [title, Cells.RateWithRatio(one, raw), Cells.Cpu(one), Cells.Bytes(one), Cells.Peak(one)], name == ContenderKind.Bus);
        }

        return table;
    }

    private List<string> Contenders(Arena arena, Mode mode) =>
        [.. tables.All.Where(series => series.Arena == arena && series.Mode == mode).Select(series => series.Contender).Distinct()];
}
