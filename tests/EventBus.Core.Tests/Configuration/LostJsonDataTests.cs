using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Shows which types cause one warning at the start, because JSON loses their data.</summary>
public sealed class LostJsonDataTests
{
    [Fact]
    public async Task Start_PrivateSetter_IsNamedWithTheCorrection()
    {
        var warning = Assert.Single(await WarningsAsync(bus => bus.Publishes<SetterHidden>()));

        Assert.Contains(nameof(SetterHidden), warning, StringComparison.Ordinal);
        Assert.Contains("the event setter.hidden", warning, StringComparison.Ordinal);
        Assert.Contains("Total, Note (written but not read", warning, StringComparison.Ordinal);
        Assert.Contains("init accessor", warning, StringComparison.Ordinal);
        Assert.Contains("[JsonIgnore]", warning, StringComparison.Ordinal);
        Assert.DoesNotContain("Visible", warning, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(typeof(GetterOnly), "Id (written but not read")]
    [InlineData(typeof(ListFilled), "Tags (written but not read")]
    [InlineData(typeof(FieldUsed), "Amount (a public field")]
    [InlineData(typeof(GetterHidden), "Amount (read but not written")]
    [InlineData(typeof(TupleSent), "Item1, Item2 (an item of a tuple", "(Range)")]
    [InlineData(typeof(TuplesSent), "Item1, Item2 (an item of a tuple", "(Ranges)")]
    [InlineData(typeof(MaybeSent), "X (written but not read")]
    [InlineData(typeof(DerivedSent), "Secret (written but not read", "(Animal)")]
    [InlineData(typeof(CodeOptional), "Undo, Kind, Handle (of a type whose values cannot be JSON", "any value but null", "[JsonIgnore]")]
    public async Task Start_DataThatJsonLoses_IsAWarning(Type type, params string[] expected)
    {
        var warning = Assert.Single(await WarningsAsync(bus => Publishes(bus, type)));

        Assert.All(expected, text => Assert.Contains(text, warning, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(typeof(AreaComputed))]
    [InlineData(typeof(TotalConstructed))]
    [InlineData(typeof(GrossSetAgain))]
    [InlineData(typeof(DataIgnored))]
    [InlineData(typeof(DataIncluded))]
    [InlineData(typeof(TagsPopulated))]
    [InlineData(typeof(RangeConverted))]
    [InlineData(typeof(OrderPlaced))]
    public async Task Start_NothingLost_GivesNoWarning(Type type) => Assert.Empty(await WarningsAsync(bus => Publishes(bus, type)));

    [Fact]
    public async Task Start_OneTypeInManyEvents_WarnsOnce() => Assert.Single(
        await WarningsAsync(bus => bus.Publishes<CoordinateSent>().Publishes<CoordinateSentAgain>().Publishes<MaybeSent>()));

    [Fact]
    public async Task Start_FieldsIncludedByOptions_GivesNoWarning() => Assert.Empty(await WarningsAsync(
        bus => bus.UseJson(json => json.IncludeFields = true).Publishes<FieldUsed>().Publishes<TupleSent>().Publishes<TuplesSent>()));

    [Fact]
    public async Task Start_InMemoryOnly_GivesNoWarning()
    {
        var log = new LogMemory();
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Publishes<FieldUsed>(),
            services: services => services.AddLogging(logging => logging.AddProvider(log)));

        Assert.Empty(log.At(LogLevel.Warning));
    }

    /// <summary>The warning is right: what it names is lost, and nothing else.</summary>
    [Fact]
    public void Members_ThatAreNamed_AreLostOnTheRoundTrip()
    {
        var read = JsonSerializer.Deserialize<SetterHidden>(JsonSerializer.Serialize(new SetterHidden(2, "n") { Visible = 3 }))!;

        Assert.Equal((0, null, 3), (read.Total, read.Note, read.Visible));
    }

    /// <summary>The warning is right: null passes, and any other value is rejected at the publish.</summary>
    [Fact]
    public async Task Publish_OptionalMemberWithoutJson_PassesNullAndRejectsAValue()
    {
        var handled = new TaskCompletionSource<CodeOptional>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory(memory => memory.RoundTrip = true).Subscribe<CodeOptional>("code", (e, _, _) =>
            {
                handled.TrySetResult(e);
                return Task.CompletedTask;
            }));
        var token = TestContext.Current.CancellationToken;

        await running.Bus.PublishAsync(new CodeOptional(7, null, null, null), token);
        Assert.Equal(new CodeOptional(7, null, null, null), await handled.Task.WaitAsync(RunningBus.Patience, token));

        CodeOptional[] withValues = [new(8, () => { }, null, null), new(8, null, typeof(int), null), new(8, null, null, 1)];
        foreach (var withValue in withValues)
        {
            var error = await Assert.ThrowsAsync<PublishException>(() => running.Bus.PublishAsync(withValue, token));
            Assert.Equal(PublishFailure.Rejected, error.Failure);
        }
    }

    private static void Publishes(EventBusBuilder bus, Type type) =>
        typeof(EventBusBuilder).GetMethod(nameof(EventBusBuilder.Publishes))!.MakeGenericMethod(type).Invoke(bus, null);

    private static async Task<IReadOnlyList<string>> WarningsAsync(Action<EventBusBuilder> configure)
    {
        var log = new LogMemory();
        await using var running = await RunningBus.StartAsync(
            bus => configure(bus.UseInMemory(memory => memory.RoundTrip = true)),
            services: services => services.AddLogging(logging => logging.AddProvider(log)));
        return [.. log.At(LogLevel.Warning).Where(text => text.Contains("JSON", StringComparison.Ordinal))];
    }

    private struct Coordinate
    {
        public Coordinate(int x) => X = x;

        public int X { get; }
    }

    private sealed record CodeOptional(int Number, Action? Undo, Type? Kind, nint? Handle);

    private sealed record GrossSetAgain(decimal Net, decimal Tax)
    {
        public decimal Gross { get; } = Net + Tax;
    }

    private sealed class SetterHidden
    {
        public SetterHidden()
        {
        }

        public SetterHidden(int total, string note) => (Total, Note) = (total, note);

        public int Total { get; private set; }

        public string? Note { get; internal set; }

        public int Visible { get; set; }
    }

    private sealed class GetterOnly
    {
        public Guid Id { get; } = Guid.NewGuid();
    }

    private sealed class ListFilled
    {
        public List<string> Tags { get; } = [];
    }

    private sealed class FieldUsed
    {
        public int Amount = 1;
    }

    private sealed class GetterHidden
    {
        public int Amount { private get; set; }

        public bool HasAmount => Amount > 0;
    }

    private sealed record TupleSent((int From, int To) Range);

    private sealed record TuplesSent(IReadOnlyList<(int From, int To)> Ranges);

    private sealed record MaybeSent(Coordinate? Place);

    private sealed record CoordinateSent(Coordinate Place);

    private sealed record CoordinateSentAgain(List<Coordinate> Places);

    [JsonDerivedType(typeof(Cat), "cat")]
    private abstract record Animal;

    private sealed record Cat : Animal
    {
        public string Secret { get; } = "s";
    }

    private sealed record DerivedSent(Animal Animal);

    private sealed record AreaComputed(int Width, int Height)
    {
        private int? area;

        public int Area => Width * Height;

        public int Cached => area ??= Area;

        public string Text => field ??= $"{Width} x {Height}";

        public bool IsSquare { get => Width == Height; }
    }

    private sealed class TotalConstructed(int total)
    {
        public int Total { get; } = total;
    }

    private sealed class DataIgnored
    {
        [JsonIgnore]
        public int Field = 1;

        [JsonIgnore]
        public int Total { get; private set; } = 1;

        [JsonIgnore]
        public Guid Id { get; } = Guid.NewGuid();
    }

    private sealed class DataIncluded
    {
        [JsonInclude]
        public int Field = 1;

        [JsonInclude]
        public int Total { get; private set; } = 1;
    }

    [JsonObjectCreationHandling(JsonObjectCreationHandling.Populate)]
    private sealed class TagsPopulated
    {
        public List<string> Tags { get; } = [];
    }

    private sealed record RangeConverted([property: JsonConverter(typeof(PairConverter))] (int From, int To) Range);

    private sealed class PairConverter : JsonConverter<(int From, int To)>
    {
        public override (int From, int To) Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            (0, reader.GetInt32());

        public override void Write(Utf8JsonWriter writer, (int From, int To) value, JsonSerializerOptions options) =>
            writer.WriteNumberValue(value.To);
    }
}
