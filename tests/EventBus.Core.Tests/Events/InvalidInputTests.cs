using System.Globalization;
using System.Text;
using EventBus.Transports;

namespace EventBus;

/// <summary>Shows that an invalid event is refused or handled completely, and never stops the subscription.</summary>
public sealed partial class InvalidInputTests : IAsyncDisposable
{
    private const string Name = "parcel.weighed";
    private const string Good = """{"parcelId":"p1","grams":500,"size":1,"stops":[1,2,3]}""";

    private readonly InjectingTransport transport = new();
    private readonly Seen seen = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("parcel.lost", 1)]
    [InlineData("", 1)]
    [InlineData("PARCEL.WEIGHED", 1)]
    [InlineData("System.Diagnostics.Process, System.Diagnostics.Process", 1)]
    [InlineData("EventBus.ParcelWeighed, EventBus.Core.Tests", 1)]
    [InlineData(Name, 2)]
    [InlineData(Name, 0)]
    [InlineData(Name, int.MinValue)]
    public async Task Unknown_NameOrVersion_IsADeadLetterAndNoTypeIsLookedUp(string name, int version)
    {
        await using var bus = await StartAsync();

        await transport.DeliverAsync((new EnvelopeAttributes { Id = "1", Name = name, Version = version }, Bytes(Good)));

        await AssertDeadAsync(bus, DeadLetterReason.UnknownEvent, Bytes(Good));
        await AssertContinuesAsync();
    }

    [Fact]
    public async Task Unknown_NameInAWildcardSubscription_IsHandledAsBytes()
    {
        await using var bus = await RunningBus.StartAsync(bus => bus.UseTransport("UseScript()", _ => transport).StoreInMemory()
            .SubscribePattern(
                "audit",
                "parcel.#",
                (context, _) => Note($"{context.EventName} {context.Event is null} {Encoding.UTF8.GetString(context.Body.Span)}")));

        await transport.DeliverAsync((new EnvelopeAttributes { Id = "1", Name = "parcel.lost", Version = 7 }, Bytes("{")));

        Assert.Equal(["parcel.lost True {"], seen.Items);
        Assert.Equal(0, await bus.DeadLetters.CountAsync(cancellationToken: Token));
    }

    public static TheoryData<string, string, DeadLetterReason?> HostileInputs => new()
    {
        { "as deep as allowed", Nested(31), null },
        { "one too deep", Nested(32), DeadLetterReason.Unreadable },
        { "100,000 deep", Nested(100_000), DeadLetterReason.Unreadable },
        { "100,000 deep and never closed", string.Concat(Enumerable.Repeat("""{"a":""", 40_000)), DeadLetterReason.Unreadable },
        { "a long text", $$"""{"parcelId":"{{new string('x', 200_000)}}"}""", null },
        { "a long list", $$"""{"stops":[{{string.Join(',', Enumerable.Repeat("1", 100_000))}}]}""", null },
        { "too large, and not even JSON", new string('[', (256 * 1024) + 1), DeadLetterReason.TooLarge },
        { "a property twice", """{"grams":1,"grams":2}""", DeadLetterReason.Unreadable },
        { "a property twice in other letters", """{"grams":1,"Grams":2}""", DeadLetterReason.Unreadable },
    };

    [Theory]
    [MemberData(nameof(HostileInputs), DisableDiscoveryEnumeration = true)]
    public async Task Bomb_OfAnyKind_IsRefusedAtItsLimit(string what, string body, DeadLetterReason? expected)
    {
        await using var bus = await StartAsync();

        await transport.DeliverAsync(Message("1", Bytes(body)));

        var letters = await bus.DeadLetters.ListAsync(cancellationToken: Token);
        Assert.True(
            letters.FirstOrDefault()?.Reason == expected,
            $"{what}: {letters.FirstOrDefault()?.Reason} {letters.FirstOrDefault()?.Error}");
        Assert.Equal(expected is null ? 1 : 0, seen.Items.Count);
        await AssertContinuesAsync();
    }

    [Fact]
    public async Task TooLarge_WithDeclaredAndOtherMembers_NamesTheDeclaredOnesAndAllSizes()
    {
        await using var bus = await StartAsync();
        var body = Bytes($$"""{"parcelId":"{{new string('x', 200_000)}}","4915112345678":"{{new string('y', 100_000)}}"}""");

        await transport.DeliverAsync(Message("1", body));

        var letter = await AssertDeadAsync(bus, DeadLetterReason.TooLarge, body);
        Assert.EndsWith(
            "(EventBusOptions.MaxBodyBytes). Its largest members: parcelId (200,002 bytes), another member (100,002 bytes).",
            letter.Error,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task HeaderBomb_AtPublish_IsRefusedAndNothingIsSent()
    {
        await using var bus = await StartAsync();
        IReadOnlyList<Dictionary<string, string>> bombs =
        [
            Enumerable.Range(0, 100_000).ToDictionary(i => $"h{i}", _ => ""),
            new() { ["value"] = new string('v', 1_000_000) },
            new() { [new string('n', 1_000_000)] = "v" },
            Enumerable.Range(0, 64).ToDictionary(i => $"h{i}", _ => new string('v', 1_000)),
            new() { ["ce-id"] = "another" },
            new() { ["split"] = "a\r\nce-id: another" },
        ];

        foreach (var headers in bombs)
        {
            var exception = await Assert.ThrowsAsync<PublishException>(
                () => bus.Bus.PublishAsync(new ParcelWeighed("p1", 1), new PublishOptions { Headers = headers }, Token));
            Assert.Equal(PublishFailure.Rejected, exception.Failure);
            Assert.True(exception.Message.Length < 1_000, "the error text contains the input");
        }

        Assert.Equal(0, transport.Sent);
    }

    [Theory]
    [InlineData("""{"grams":2147483648}""", null)]
    [InlineData("""{"grams":1e400}""", null)]
    [InlineData("""{"grams":1.5}""", null)]
    [InlineData("""{"grams":{}}""", null)]
    [InlineData("""{"grams":null}""", null)]
    [InlineData("""{"size":"Huge"}""", null)]
    [InlineData("""{"size":99999999999}""", null)]
    [InlineData("""{"size":99}""", " 0 99")]
    [InlineData("""{"parcelId":"p1","colour":"red","label":{"lines":["a"]}}""", "p1 0 Small")]
    [InlineData("""{"$type":"System.Diagnostics.Process, System","parcelId":"p1"}""", "p1 0 Small")]
    [InlineData("""{"parcelId":"p1"}""", "p1 0 Small")]
    [InlineData("{}", " 0 Small")]
    public async Task Unexpected_NumberEnumOrMember_IsHandledOrRefusedNeverGuessed(string body, string? handledAs)
    {
        await using var bus = await StartAsync();

        await transport.DeliverAsync(Message("1", Bytes(body)));

        Assert.Equal(handledAs is null ? [] : [handledAs], seen.Items);
        Assert.Equal(
            handledAs is null ? 1 : 0,
            await bus.DeadLetters.CountAsync(new DeadLetterFilter { Reason = DeadLetterReason.Unreadable }, Token));
    }

    /// <summary>EVENTBUS_FUZZ_SEED repeats a run.</summary>
    [Fact]
    public async Task Fuzz_ThousandsOfMutatedMessages_AreEachHandledOrDeadLettersWithTheirBytes()
    {
        const int Count = 5_000;
        var seed = int.TryParse(Environment.GetEnvironmentVariable("EVENTBUS_FUZZ_SEED"), CultureInfo.InvariantCulture, out var given)
            ? given
            : Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        await using var bus = await StartAsync();
        var mutation = new Mutation(seed, Name, Bytes(Good));
        var messages = Enumerable.Range(0, Count).Select(i => mutation.Next($"fuzz-{i}")).ToDictionary(message => message.Attributes.Id);

        await transport.DeliverAsync([.. messages.Values.Select(message => (message.Attributes, (byte[])message.Body.Clone()))]);

        var kept = await KeptAsync(bus);
        Assert.True(
            seen.Items.Count + kept.Count == Count,
            $"seed {seed}: {seen.Items.Count} were handled and {kept.Count} are kept, of {Count}");
        Assert.True(
            transport.Acknowledged.Count == Count && transport.Acknowledged.Values.All(times => times == 1) && transport.Released == 0,
            $"seed {seed}: not each is settled once");
        Assert.All(kept, letter => Assert.True(
            letter.Body.Span.SequenceEqual(messages[letter.EventId].Body),
            $"seed {seed}: {letter.EventId} has other bytes"));
        Assert.All(kept, letter => Assert.True(letter.Attempts == 0, $"seed {seed}: {letter.EventId} started a handler"));
        Assert.All(kept, letter => Assert.True(
            letter.Reason is DeadLetterReason.Unreadable or DeadLetterReason.UnknownEvent,
            $"seed {seed}: {letter.EventId} is {letter.Reason}"));
        Assert.True(
            kept.Count > Count / 10 && seen.Items.Count > Count / 10,
            $"seed {seed}: the mutations give too few valid or too few invalid messages");
        await AssertContinuesAsync();
    }

    public ValueTask DisposeAsync() => transport.DisposeAsync();

    private static async Task<List<DeadLetter>> KeptAsync(RunningBus bus)
    {
        var kept = new List<DeadLetter>();
        IReadOnlyList<DeadLetter> page;
        do
        {
            page = await bus.DeadLetters.ListAsync(new DeadLetterFilter { Take = 1_000, Before = kept.LastOrDefault()?.Number }, Token);
            kept.AddRange(page);
        }
        while (page.Count > 0);
        return kept;
    }

    private Task<RunningBus> StartAsync() =>
        RunningBus.StartAsync(bus => bus.UseTransport("UseScript()", _ => transport).StoreInMemory()
            .Subscribe<ParcelWeighed>("scales", (e, _, _) => Note($"{e.ParcelId} {e.Grams} {e.Size}")));

    private async Task<DeadLetter> AssertDeadAsync(RunningBus bus, DeadLetterReason reason, byte[] body)
    {
        var letter = Assert.Single(await bus.DeadLetters.ListAsync(cancellationToken: Token));
        Assert.Equal((reason, 0), (letter.Reason, letter.Attempts));
        Assert.Equal(body, letter.Body.ToArray());
        Assert.Empty(seen.Items);
        return letter;
    }

    /// <summary>Asserts that the next valid event is handled.</summary>
    private async Task AssertContinuesAsync()
    {
        await transport.DeliverAsync(Message("good", Bytes(Good)));
        Assert.Equal("p1 500 Large", seen.Items[^1]);
    }

    private Task Note(string text)
    {
        seen.Add(text);
        return Task.CompletedTask;
    }

    private static string Nested(int depth) => $$"""{"parcelId":"p1","more":{{new string('[', depth)}}{{new string(']', depth)}}}""";

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static (EnvelopeAttributes Attributes, byte[] Body) Message(string id, byte[] body) =>
        (new EnvelopeAttributes { Id = id, Name = Name }, body);
}
