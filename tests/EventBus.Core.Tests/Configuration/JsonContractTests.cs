using System.Collections.ObjectModel;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Shows which types of events and states the start refuses, because they cannot be read from JSON.</summary>
public sealed class JsonContractTests
{
    private interface IShape
    {
        int Width { get; }
    }

    [JsonDerivedType(typeof(SmallBox), "small")]
    private interface IBox
    {
        int Width { get; }
    }

    [Theory]
    [InlineData(typeof(ShapeDrawn), "its member Shape cannot be read", "IShape is an interface", "[JsonDerivedType")]
    [InlineData(typeof(ShapesDrawn), "its member Shapes cannot be read", "IShape is an interface")]
    [InlineData(typeof(PageDrawn), "its member Page.Base cannot be read", "is an abstract class", "bus.UseJson(json => ")]
    [InlineData(typeof(TwoWays), "TwoWays has no constructor that can be used", "[JsonConstructor]")]
    [InlineData(typeof(OddlyNamed), "has parameters for which there is no public property", "(text)")]
    [InlineData(typeof(ListKept), "its member Names cannot be read", "ReadOnlyCollection", "use an array")]
    [InlineData(typeof(PointsCounted), "its member Points cannot be read", "the keys of")]
    [InlineData(typeof(ActionTaken), "its member Undo cannot be written or read", "[JsonIgnore]")]
    [InlineData(typeof(ActionsTaken), "its member Undos cannot be written or read", "[JsonIgnore]")]
    public async Task Start_SubscribedTypeThatCannotBeRead_IsAnError(Type type, params string[] expected)
    {
        var problem = Assert.Single(await ProblemsAsync(bus => SubscribeTo(bus, type)));

        Assert.Contains($"({type}) cannot be", problem, StringComparison.Ordinal);
        Assert.All(expected, text => Assert.Contains(text, problem, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Start_JsonThatContradictsItself_IsAnErrorWithTheReason()
    {
        var problem = Assert.Single(await ProblemsAsync(bus => bus.Publishes<NameTaken>()));

        Assert.Contains($"The event type {typeof(NameTaken)} cannot be written as JSON", problem, StringComparison.Ordinal);
        Assert.Contains("collides", problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(typeof(BoxSent))]
    [InlineData(typeof(ShapeConverted))]
    [InlineData(typeof(CollectionsSent))]
    [InlineData(typeof(TreePlanted))]
    [InlineData(typeof(AnyValueSent))]
    [InlineData(typeof(UndoIgnored))]
    [InlineData(typeof(ShapeComputed))]
    [InlineData(typeof(PaymentSent))]
    public async Task Start_SubscribedTypeThatCanBeRead_Succeeds(Type type)
    {
        var log = new LogMemory();
        await using var running = await StartAsync(bus => SubscribeTo(bus, type), log);

        Assert.DoesNotContain(log.At(LogLevel.Warning), text => text.Contains("JSON", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Start_InMemoryOnly_AcceptsWhatIsNeverRead()
    {
        await using var running = await RunningBus.StartAsync(bus => bus.UseInMemory().Subscribe<ShapeDrawn>("draw", Nothing));
        Assert.NotNull(running.Bus);
    }

    [Fact]
    public async Task Start_PublishedTypeThatCannotBeRead_IsAWarning()
    {
        var log = new LogMemory();
        await using var running = await StartAsync(bus => bus.Publishes<ShapeDrawn>(), log);

        Assert.Contains(log.At(LogLevel.Warning), text => text.Contains("IShape can be written but not read", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Start_TypeReadByAPattern_IsAnError() => Assert.Contains(
        "IShape is an interface",
        Assert.Single(await ProblemsAsync(bus => bus.Publishes<ShapeDrawn>().SubscribePattern("all", "#", (_, _) => Task.CompletedTask))),
        StringComparison.Ordinal);

    [Fact]
    public async Task Start_OldVersionThatIsUpcast_IsAnErrorIfItCannotBeRead() => Assert.Contains(
        "IShape is an interface",
        Assert.Single(await ProblemsAsync(
            bus => bus.Upcast<NoteWrittenOld, NoteWritten>(_ => new NoteWritten("")).Subscribe<NoteWritten>("note", Nothing))),
        StringComparison.Ordinal);

    [Fact]
    public async Task Start_ConverterForTheInterface_IsAccepted()
    {
        await using var running = await StartAsync(
            bus => bus.UseJson(json => json.Converters.Add(new ShapeConverter())).Subscribe<ShapeDrawn>("draw", Nothing),
            new LogMemory());
        Assert.NotNull(running.Bus);
    }

    private static void SubscribeTo(EventBusBuilder bus, Type type)
    {
        // One pattern subscription reads every declared event.
        bus.SubscribePattern("all", "#", (_, _) => Task.CompletedTask);
        typeof(EventBusBuilder).GetMethod(nameof(EventBusBuilder.Publishes))!.MakeGenericMethod(type).Invoke(bus, null);
    }

    private static Task<RunningBus> StartAsync(Action<EventBusBuilder> configure, LogMemory log) => RunningBus.StartAsync(
        bus => configure(bus.UseInMemory(memory => memory.RoundTrip = true)),
        services: services => services.AddLogging(logging => logging.AddProvider(log)));

    private static async Task<IReadOnlyList<string>> ProblemsAsync(Action<EventBusBuilder> configure)
    {
        using var host = RunningBus.Build(bus => configure(bus.UseInMemory(memory => memory.RoundTrip = true)));
        return (await Assert.ThrowsAsync<EventBusConfigurationException>(
            () => host.StartAsync(TestContext.Current.CancellationToken))).Problems;
    }

    private static Task Nothing<TEvent>(TEvent @event, EventContext context, CancellationToken cancellationToken) => Task.CompletedTask;

    private abstract record Base(int Width);

    private sealed record Page(Base Base);

    private sealed record Point(int X, int Y);

    private sealed record SmallBox(int Width) : IBox;

    private sealed record Node(string Name, List<Node> Children, Node? Parent);

    private sealed record ShapeDrawn(IShape? Shape);

    private sealed record ShapesDrawn(List<Dictionary<string, IShape>> Shapes);

    private sealed record PageDrawn(Page Page);

    private sealed record ListKept(ReadOnlyCollection<string> Names);

    private sealed record PointsCounted(Dictionary<Point, int> Points);

    private sealed record ActionTaken(Action Undo);

    private sealed record ActionsTaken(List<Action?> Undos);

    private sealed record UndoIgnored(string Id, [property: JsonIgnore] Action? Undo);

    private sealed record ShapeComputed(int Width)
    {
        public IShape? Shape => null;

        public IEnumerable<IGrouping<int, int>> Groups => new[] { Width }.GroupBy(width => width);
    }

    [JsonDerivedType(typeof(Card), "card")]
    private class Payment
    {
        private protected Payment()
        {
        }
    }

    private sealed class Card : Payment
    {
        public int Digits { get; set; }
    }

    private sealed record PaymentSent(Payment Payment);

    private sealed record Names([property: JsonPropertyName("a")] int First, [property: JsonPropertyName("a")] int Second);

    private sealed record NameTaken(Names Names);

    private sealed record BoxSent(IBox Box, IReadOnlyList<IBox> More);

    private sealed record ShapeConverted([property: JsonConverter(typeof(ShapeConverter))] IShape Shape);

    private sealed record AnyValueSent(
        object Value,
        JsonElement Element,
        Uri Address,
        Version Version,
        DayOfWeek Day,
        Guid? Id,
        byte[] Bytes);

    private sealed record TreePlanted(Node Root);

    private sealed record CollectionsSent(
        int[] Array,
        IEnumerable<int> Enumerable,
        IList<int> List,
        ICollection<int> Collection,
        IReadOnlyList<Point> ReadOnlyList,
        IReadOnlyCollection<int> ReadOnlyCollection,
        ISet<int> Set,
        HashSet<int> HashSet,
        Queue<int> Queue,
        IDictionary<string, int> Dictionary,
        IReadOnlyDictionary<Guid, Point> ReadOnlyDictionary,
        System.Collections.Immutable.ImmutableArray<int> ImmutableArray,
        System.Collections.Immutable.ImmutableDictionary<string, int> ImmutableDictionary,
        System.Collections.Concurrent.ConcurrentDictionary<DayOfWeek, int> Concurrent,
        KeyValuePair<string, int> Pair,
        Tuple<int, string> Tuple,
        System.Collections.IList Untyped);

    [EventName("note.written", Version = 2)]
    private sealed record NoteWritten(string Text);

    [EventName("note.written")]
    private sealed record NoteWrittenOld(IShape Shape);

    private sealed class TwoWays
    {
        public TwoWays(int a) => A = a;

        public TwoWays(int a, int b)
            : this(a + b)
        {
        }

        public int A { get; }
    }

    private sealed class OddlyNamed(string text)
    {
        public string Title { get; } = text;
    }

    private sealed class ShapeConverter : JsonConverter<IShape>
    {
        public override IShape? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            throw new NotSupportedException();

        public override void Write(Utf8JsonWriter writer, IShape value, JsonSerializerOptions options) => writer.WriteNullValue();
    }
}
