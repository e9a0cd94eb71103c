using System.Text.Json.Serialization;

namespace EventBus;

[EventName("contact.imported")]
public sealed record ContactImported(int Number, Dictionary<string, int>? Map, string? Upcast)
{
    private string? faulty;

    [JsonConverter(typeof(RefusingConverter))]
    public string? Odd { get; init; }

    public string? Faulty
    {
        get => faulty;
        init => faulty = value is null ? null : throw new ArgumentException($"Not {value}");
    }
}
