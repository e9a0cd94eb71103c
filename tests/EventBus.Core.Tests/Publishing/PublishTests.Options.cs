using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

public sealed partial class PublishTests
{
    [Fact]
    public async Task Publish_WithOptions_ArrivesWithAll()
    {
        EventContext? got = null;
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));
        await using var running = await RunningBus.StartAsync(Handle(context => got = context), time);

        await running.Bus.PublishAsync(
            new OrderPlaced("1"),
            new PublishOptions
            {
                Key = "k",
                EventId = "my-id",
                CorrelationId = "c",
                Headers = new Dictionary<string, string> { ["tenant"] = "a" }
            },
            Token);
        await running.WhenIdleAsync();

        Assert.NotNull(got);
        Assert.Equal(
            ("my-id", "order.placed", 1, "k", "c", null),
            (got.EventId, got.EventName, got.EventVersion, got.Key, got.CorrelationId, got.CausationId));
        Assert.Equal("a", got.Headers["tenant"]);
        Assert.Equal(time.GetUtcNow(), got.Time);
        Assert.Equal(("mail", 1), (got.Subscription, got.Attempt));
        Assert.Equal("""{"orderId":"1","total":1}""", System.Text.Encoding.UTF8.GetString(got.Body.Span));
    }

    [Fact]
    public async Task Publish_KeyedType_HasItsKeyUnlessTheOptionsOverrideIt()
    {
        var keys = new Seen();
        await using var running = await RunningBus.StartAsync(bus =>
        {
            bus.Event<OrderPlaced>().KeyedBy(e => e.OrderId);
            Handle(context => keys.Add(context.Key!))(bus);
        });

        await running.Bus.PublishAsync(new OrderPlaced("7"), Token);
        await running.Bus.PublishAsync(new OrderPlaced("8"), new PublishOptions { Key = "own" }, Token);
        await running.WhenIdleAsync();

        Assert.Equal(["7", "own"], keys.Items);
    }

    public static IEnumerable<TheoryDataRow<PublishOptions, string>> BadOptions =>
    [
        new(new PublishOptions { EventId = "" }, "EventId"),
        new(new PublishOptions { EventId = new string('x', 129) }, "128"),
        new(new PublishOptions { CorrelationId = "a\nb" }, "CorrelationId"),
        new(new PublishOptions { Key = new string('k', 257) }, "257"),
        new(new PublishOptions { Key = "a\0" }, "control"),
        new(new PublishOptions { Timeout = TimeSpan.Zero }, "Timeout"),
        new(new PublishOptions { Headers = Header("bad name", "v") }, "'bad name'"),
        new(new PublishOptions { Headers = Header("CE-id", "v") }, "reserved"),
        new(new PublishOptions { Headers = Header("eventbus-x", "v") }, "reserved"),
        new(new PublishOptions { Headers = Header("cloudEvents_id", "v") }, "reserved"),
        new(new PublishOptions { Headers = Header("CC", "v") }, "reserved"),
        new(new PublishOptions { Headers = Header("name", "a\r\nb") }, "'name'"),
        new(new PublishOptions { Headers = Header("name", new string('v', 1_025)) }, "1,024"),
        new(new PublishOptions { Headers = Enumerable.Range(0, 65).ToDictionary(i => $"h{i}", _ => "v") }, "65 headers"),
        new(new PublishOptions { Headers = Enumerable.Range(0, 20).ToDictionary(i => $"h{i}", _ => new string('v', 1_000)) }, "in all"),
    ];

    [Theory]
    [MemberData(nameof(BadOptions), DisableDiscoveryEnumeration = true)]
    public async Task Publish_BadOption_IsRefusedAndNamed(PublishOptions options, string expected)
    {
        await using var running = await RunningBus.StartAsync(Handle(_ => { }));

        var exception = await Assert.ThrowsAsync<PublishException>(() => running.Bus.PublishAsync(new OrderPlaced("1"), options, Token));

        Assert.Equal(PublishFailure.Rejected, exception.Failure);
        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
    }

    /// <summary>Headers are read once: the checked values are sent.</summary>
    [Fact]
    public async Task Publish_HeadersThatChangeWhileTheyAreRead_AreSentAsTheyWereChecked()
    {
        IReadOnlyDictionary<string, string>? got = null;
        await using var running = await RunningBus.StartAsync(Handle(context => got = context.Headers));

        await running.Bus.PublishAsync(
            new OrderPlaced("1"),
            new PublishOptions { Headers = new ChangingHeaders(() => [new("tenant", "a")], () => [new("ce-id", "forged\r\n")]) },
            Token);
        await running.Bus.PublishAsync(new OrderPlaced("2"), new PublishOptions
        {
            Headers = new ChangingHeaders(
            () => [new("tenant", "a")],
            () => throw new InvalidOperationException("Changed."))
        }, Token);
        await running.WhenIdleAsync();

        Assert.Equal("a", Assert.Single(got!).Value);
    }

    [Fact]
    public async Task Publish_HeadersThatNeverEndOrRepeat_AreRefused()
    {
        await using var running = await RunningBus.StartAsync(Handle(_ => { }));
        ChangingHeaders[] bad = [
            new(() => Enumerable.Range(0, int.MaxValue).Select(i => KeyValuePair.Create($"h{i}", "v"))),
            new(() => [new("a", "1"), new("a", "2")])
        ];

        foreach (var headers in bad)
        {
            var exception = await Assert.ThrowsAsync<PublishException>(
                () => running.Bus.PublishAsync(new OrderPlaced("1"), new PublishOptions { Headers = headers }, Token));
            Assert.Equal(PublishFailure.Rejected, exception.Failure);
        }
    }

    private static Dictionary<string, string> Header(string name, string value) => new() { [name] = value };

    /// <summary>Headers that return other values when they are read again.</summary>
    private sealed class ChangingHeaders(
        Func<IEnumerable<KeyValuePair<string, string>>> first,
        Func<IEnumerable<KeyValuePair<string, string>>>? then = null) : IReadOnlyDictionary<string, string>
    {
        private int reads;

        public int Count => 1;

        public IEnumerable<string> Keys => [];

        public IEnumerable<string> Values => [];

        public string this[string key] => key;

        public bool ContainsKey(string key) => true;

        public bool TryGetValue(string key, out string value)
        {
            value = key;
            return true;
        }

        public IEnumerator<KeyValuePair<string, string>> GetEnumerator() =>
            (reads++ == 0 || then is null ? first() : then()).GetEnumerator();

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
