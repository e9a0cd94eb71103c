using System.Text;

namespace EventBus.Load;

/// <summary>A Markdown table; its first column is aligned left, columns of figures are aligned right.</summary>
internal sealed class MarkdownTable(params string[] heads)
{
    private readonly List<string[]> rows = [];

    /// <param name="cells">The cells; missing ones at the end are empty.</param>
    /// <param name="isBold">True to emphasize the row.</param>
    public void Add(IEnumerable<string> cells, bool isBold = false) =>
        rows.Add([.. cells.Select(cell => cell.Replace("|", "\\|", StringComparison.Ordinal).ReplaceLineEndings(" ").Trim())
            .Select(cell => isBold && cell.Length > 0 ? $"**{cell}**" : cell)]);

    public override string ToString()
    {
        var text = new StringBuilder();
        Line(heads);
        Line([.. heads.Select((_, i) => i == 0 ? "---" : "--:")]);
        rows.ForEach(Line);
        return text.ToString();

        void Line(string[] cells) =>
            text.Append("| ").AppendJoin(" | ", heads.Select((_, i) => i < cells.Length ? cells[i] : "")).Append(" |\n");
    }
}
