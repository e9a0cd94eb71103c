using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Text.Json;
using System.Text.Json.Serialization;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

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
