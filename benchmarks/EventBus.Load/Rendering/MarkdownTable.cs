using System.Text;

namespace EventBus.Load;

/// <summary>A table; its first column stands at the left, and the others at the right where they are figures.</summary>
internal sealed class MarkdownTable(params string[] heads)
{
    private readonly List<string[]> rows = [];

    /// <param name="cells">The cells; those that are missing at the end stay empty.</param>
    /// <param name="isBold">Whether the row is to be seen at once.</param>
    public void Add(IEnumerable<string> cells, bool isBold = false) =>
        rows.Add([.. cells.Select(cell => cell.Replace("|", "\\|", StringComparison.Ordinal).ReplaceLineEndings(" ").Trim()).Select(cell => isBold && cell.Length > 0 ? $"**{cell}**" : cell)]);

    public override string ToString()
    {
        var text = new StringBuilder();
        Line(heads);
        Line([.. heads.Select((_, i) => i == 0 ? "---" : "--:")]);
        rows.ForEach(Line);
        return text.ToString();

        void Line(string[] cells) => text.Append("| ").AppendJoin(" | ", heads.Select((_, i) => i < cells.Length ? cells[i] : "")).Append(" |\n");
    }
}
