using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Shows that JSON options can be set without a source-generated context, and with one.</summary>
public sealed class UseJsonTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task UseJson_Converter_WritesAndReadsTheEvent()
    {
        var (body, received) = (Array.Empty<byte>(), TimeSpan.Zero);
        await using var running = await StartAsync(bus => bus
            .UseJson(json => json.Converters.Add(new SecondsConverter()))
            .Subscribe<LapFinished>("laps", (lap, context, _) =>
            {
                (body, received) = (context.Body.ToArray(), lap.Time);
                return Task.CompletedTask;
            }));

        await running.Bus.PublishAsync(new LapFinished(TimeSpan.FromSeconds(90)), Token);
        await running.WhenIdleAsync();

        Assert.Equal("""{"time":90}""", Encoding.UTF8.GetString(body));
        Assert.Equal(TimeSpan.FromSeconds(90), received);
    }

    [Fact]
    public async Task UseJson_WithAContext_ChangesItsOptionsToo()
    {
        var body = "";
        await using var running = await StartAsync(bus => bus
            .UseJson(OnlyPlaced.Default)
            .UseJson(json => json.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower)
            .Subscribe<OrderPlaced>("orders", (_, context, _) =>
            {
                body = Encoding.UTF8.GetString(context.Body.Span);
                return Task.CompletedTask;
            }));

        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.WhenIdleAsync();

        Assert.Contains("\"order_id\":\"1\"", body, StringComparison.Ordinal);
    }

    [Fact]
    public void UseJson_MetadataInAnyOrder_IsRead()
    {
        var json = new EventJson([], 32, [options => options.AllowOutOfOrderMetadataProperties = true]);

        var read = JsonSerializer.Deserialize("""{"animal":{"name":"Tom","$type":"cat"}}""", json.Find(typeof(AnimalSeen))!);

        Assert.Equal(new AnimalSeen(new Cat("Tom")), read);
    }

    [Fact]
    public void UseJson_LimitsOfTheBus_AreSetAfterwards()
    {
        var json = new EventJson([], 7, [options => (options.MaxDepth, options.AllowDuplicateProperties) = (500, true)]);

        var options = json.Find(typeof(OrderPlaced))!.Options;

        Assert.Equal((7, false), (options.MaxDepth, options.AllowDuplicateProperties));
    }

    [Fact]
    public async Task UseJson_FunctionThatThrows_IsAnErrorOfTheStart()
    {
        using var host = RunningBus.Build(bus => bus.UseInMemory().UseJson(_ => throw new InvalidOperationException("no luck")));

        var error = await Assert.ThrowsAsync<EventBusConfigurationException>(() => host.StartAsync(Token));

        Assert.Contains("bus.UseJson(...) failed: no luck", Assert.Single(error.Problems), StringComparison.Ordinal);
    }

    /// <summary>The check reads the source-generated type information, which native AOT has alone.</summary>
    [Fact]
    public async Task Context_SourceGenerated_IsCheckedLikeReflection()
    {
        var log = new LogMemory();
        using var host = RunningBus.Build(
            bus => bus.UseInMemory(memory => memory.RoundTrip = true)
                .UseJson(ContractJson.Default)
                .SubscribePattern("all", "#", (_, _) => Task.CompletedTask)
                .Publishes<ContractBroken>(),
            services: services => services.AddLogging(logging => logging.AddProvider(log)));
        var error = await Assert.ThrowsAsync<EventBusConfigurationException>(() => host.StartAsync(Token));
        Assert.Contains("its member Shape cannot be read", Assert.Single(error.Problems), StringComparison.Ordinal);

        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory(memory => memory.RoundTrip = true)
                .UseJson(ContractJson.Default)
                .Publishes<ContractKept>()
                .Publishes<ContractLost>(),
            services: services => services.AddLogging(logging => logging.AddProvider(log)));
        var warning = Assert.Single(log.At(LogLevel.Warning));
        Assert.Contains("Total, Id (written but not read", warning, StringComparison.Ordinal);
        Assert.Contains("Amount (a public field", warning, StringComparison.Ordinal);
    }

    private static Task<RunningBus> StartAsync(Action<EventBusBuilder> configure) =>
        RunningBus.StartAsync(bus => configure(bus.UseInMemory(memory => memory.RoundTrip = true)));

    [JsonDerivedType(typeof(Cat), "cat")]
    private abstract record Animal(string Name);

    private sealed record Cat(string Name) : Animal(Name);

    private sealed record AnimalSeen(Animal Animal);

    private sealed record LapFinished(TimeSpan Time);

    private sealed class SecondsConverter : JsonConverter<TimeSpan>
    {
        public override TimeSpan Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            TimeSpan.FromSeconds(reader.GetInt32());

        public override void Write(Utf8JsonWriter writer, TimeSpan value, JsonSerializerOptions options) =>
            writer.WriteNumberValue((int)value.TotalSeconds);
    }
}
