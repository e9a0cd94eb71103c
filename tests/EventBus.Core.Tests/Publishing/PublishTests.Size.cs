using System.Text.Json;
using System.Text.Json.Serialization;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus;

public sealed partial class PublishTests
{
    private const string Secret = "secret";

    [Fact]
    public async Task Publish_TooLarge_NamesTheLargestMembersWithoutTheirValues()
    {
        await using var running = await RunningBus.StartAsync(Handle(_ => { }));

        var exception = await Assert.ThrowsAsync<PublishException>(
            () => running.Bus.PublishAsync(new OrderPlaced(Secret + new string('x', 256 * 1024)), Token));

        Assert.Contains(" Its largest members: orderId (262,152 bytes). ", exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, exception.Message, StringComparison.Ordinal);
    }

    /// <summary>The limit is exact to the byte, whatever the text contains.</summary>
    [Theory]
    [InlineData("x")]
    [InlineData("\"")]
    [InlineData("\\")]
    [InlineData("\n")]
    [InlineData("ü")]
    [InlineData("😀")]
    public async Task Publish_InMemory_IsRejectedAboveTheLimitAsJson(string letter)
    {
        const int Limit = 256 * 1024;
        await using var running = await RunningBus.StartAsync(Handle(_ => { }));
        var empty = JsonSerializer.SerializeToUtf8Bytes(new OrderPlaced(""), JsonSerializerOptions.Web).Length;
        var each = JsonSerializer.SerializeToUtf8Bytes(letter).Length - 2;
        var count = (Limit - empty) / each;
        var fits = string.Concat(Enumerable.Repeat(letter, count)) + new string('x', Limit - empty - (count * each));

        await running.Bus.PublishAsync(new OrderPlaced(fits), Token);
        await running.Bus.PublishAsync(new OrderPlaced(fits), Token);
        var exception = await Assert.ThrowsAsync<PublishException>(() => running.Bus.PublishAsync(new OrderPlaced(fits + "x"), Token));

        Assert.Contains($"has {Limit + 1:N0} bytes", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Publish_Large_WarnsWithTheLargestMembersWithoutTheirValues()
    {
        using var logs = new LogMemory();
        await using var running = await StartWithLogsAsync(Handle(_ => { }), logs);

        await running.Bus.PublishAsync(new OrderPlaced(Secret + new string('x', 80 * 1024)), Token);

        var warning = Assert.Single(logs.At(LogLevel.Warning));
        Assert.Contains(" Its largest members: orderId (81,928 bytes). Publish ids ", warning, StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, warning, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Publish_TooLargeAndNoObject_NamesNoMembers()
    {
        using var logs = new LogMemory();
        await using var running = await StartWithLogsAsync(
            bus => bus.UseInMemory().Subscribe<NoteLeft>("notes", (_, _, _) => Task.CompletedTask),
            logs);

        await running.Bus.PublishAsync(new NoteLeft(new string('x', 65 * 1024)), Token);
        var exception = await Assert.ThrowsAsync<PublishException>(
            () => running.Bus.PublishAsync(new NoteLeft(new string('x', 256 * 1024)), Token));

        Assert.Contains("(EventBusOptions.WarnBodyBytes). Publish ids", Assert.Single(logs.At(LogLevel.Warning)), StringComparison.Ordinal);
        Assert.Contains("262,144 are allowed. Events carry ids", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1_000, "If it must be this large, raise EventBusOptions.MaxBodyBytes.")]
    [InlineData(4_000, "narrow carries no larger event.")]
    public async Task Publish_TooLarge_SaysWhetherTheLimitIsThatOfTheBackend(int option, string expected)
    {
        await using var transport = new NarrowTransport();
        await using var running = await RunningBus.StartAsync(bus => bus.UseTransport("UseNarrow()", _ => transport)
            .StoreInMemory()
            .Configure(options => options.MaxBodyBytes = option));

        var exception = await Assert.ThrowsAsync<PublishException>(
            () => running.Bus.PublishAsync(new OrderPlaced(new string('x', 5_000)), Token));

        Assert.Contains($"at most {Math.Min(option, NarrowTransport.Limit):N0} are allowed", exception.Message, StringComparison.Ordinal);
        Assert.EndsWith(expected, exception.Message, StringComparison.Ordinal);
    }

    private static Task<RunningBus> StartWithLogsAsync(Action<EventBusBuilder> configure, LogMemory logs) =>
        RunningBus.StartAsync(configure, services: services => services.AddLogging(logging => logging.AddProvider(logs)));

    /// <summary>An event that is written as a JSON text.</summary>
    [JsonConverter(typeof(NoteConverter))]
    internal sealed record NoteLeft(string Text);

    internal sealed class NoteConverter : JsonConverter<NoteLeft>
    {
        public override NoteLeft Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            new(reader.GetString()!);

        public override void Write(Utf8JsonWriter writer, NoteLeft value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.Text);
    }

    /// <summary>A backend with a Limit of its own.</summary>
    private sealed class NarrowTransport : ScriptedTransport
    {
        public const int Limit = 2_000;

        public override TransportFeatures Features { get; } = new() { System = "narrow", Serializes = true, MaxBodyBytes = Limit };

        public override ValueTask PublishAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline)
        {
            outcomes.Span.Fill(PublishOutcome.Accepted);
            return ValueTask.CompletedTask;
        }

        public override ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken) =>
            ValueTask.FromResult<Receiver>(new ScriptedReceiver(_ => { }));
    }
}
