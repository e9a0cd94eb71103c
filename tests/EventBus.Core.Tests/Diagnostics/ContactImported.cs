using System.Text.Json.Serialization;

namespace EventBus;

[EventName("contact.imported")]
public sealed record ContactImported(int Number, Dictionary<string, int>? Map, string? Upcast)
{
    private string? picky;

    [JsonConverter(typeof(RefusingConverter))]
    public string? Odd { get; init; }

    public string? Picky
    {
        get => picky;
        init => picky = value is null ? null : throw new ArgumentException($"Not {value}");
    }
}
