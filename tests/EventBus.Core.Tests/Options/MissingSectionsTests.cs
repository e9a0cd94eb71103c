using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;

namespace EventBus;

/// <summary>
/// Shows that a section which does not exist means the defaults, and that it is a mistake next to a section of nearly
/// the same name.
/// </summary>
public sealed class MissingSectionsTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("EventBuss:Concurrency", "EventBus", "EventBuss")]
    [InlineData("EvenBus:Redis:ConnectionString", "EventBus", "EvenBus")]
    [InlineData("Event-Bsu:Concurrency", "EventBus", "Event-Bsu")]
    [InlineData("Services:EventBuss:Concurrency", "Services:EventBus", "Services:EventBuss")]
    [InlineData("Servces:EventBus:Concurrency", "Services:EventBus", "Servces")]
    public async Task Start_MissingSectionNextToANearOne_NamesBoth(string key, string section, string near)
    {
        using var host = Build([new(key, "4")], (bus, all) => bus.UseInMemory().Configure(all.GetSection(section)));

        var error = await Assert.ThrowsAsync<EventBusConfigurationException>(() => host.StartAsync(Token));

        Assert.Equal(
            $"The section '{section}' does not exist, so that the defaults would apply; the configuration has a section '{near}'. Correct "
                + "one of the two names.",
            Assert.Single(error.Problems));
    }

    [Fact]
    public async Task Start_MissingSectionOfABackend_NamesTheNearOne()
    {
        using var host = Build(
            [new("Bus:InMemry:Capacity", "7")],
            (bus, all) => bus.UseInMemory(all.GetSection("Bus:InMemory")));

        var error = await Assert.ThrowsAsync<EventBusConfigurationException>(() => host.StartAsync(Token));

        Assert.Contains("'Bus:InMemry'", Assert.Single(error.Problems), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Logging:Level", "x")]
    [InlineData("EventHub:ConnectionString", "x")]
    [InlineData("EventBuss", "a value, such as an environment variable")]
    [InlineData("EVENTBUS:Concurrency", "4")]
    public async Task Start_SectionSimplyAbsent_MeansTheDefaults(string key, string value)
    {
        using var host = Build([new(key, value)], (bus, all) => bus.UseInMemory().Configure(all.GetSection("EventBus")));

        await host.StartAsync(Token);
        await host.StopAsync(Token);
    }

    [Fact]
    public async Task Start_NearSectionOfAnotherBus_IsNoMistake()
    {
        using var host = Build(
            [new("EventBus2:Concurrency", "4")],
            (bus, all) =>
            {
                bus.UseInMemory().Configure(all.GetSection("EventBus"));
                bus.Services.AddKeyedEventBus("second", other => other.UseInMemory().Configure(all.GetSection("EventBus2")));
            });

        await host.StartAsync(Token);
        await host.StopAsync(Token);
    }

    /// <summary>
    /// Only one of the two sections exists. Its name is no misspelling of the other, because a bus uses it too.
    /// </summary>
    [Theory]
    [InlineData("BusA:Concurrency", "BusA", "BusB", "")]
    [InlineData("BusB:Concurrency", "BusA", "BusB", "")]
    [InlineData("Buses:BusA:Bus:Concurrency", "Buses:BusA:Bus", "Buses:BusB:Bus", "")]
    [InlineData("BusB:Concurrency", "BusA", "busb", "")]
    [InlineData("BusA:InMemory:Capacity", "BusA", "BusB", "InMemory")]
    [InlineData("BusB:InMemory:Capacity", "BusA", "BusB", "InMemory")]
    public async Task Start_SectionsOfTwoBusesOneCharacterApart_AreNoMistake(string key, string first, string second, string backend)
    {
        using var host = Build(
            [new(key, "4")],
            (bus, all) =>
            {
                Use(bus, all, first);
                bus.Services.AddKeyedEventBus("second", other => Use(other, all, second));
            });

        await host.StartAsync(Token);
        await host.StopAsync(Token);

        void Use(EventBusBuilder bus, IConfiguration all, string section) => _ = backend.Length == 0
            ? bus.UseInMemory().Configure(all.GetSection(section))
            : bus.UseInMemory(all.GetSection($"{section}:{backend}"));
    }

    /// <summary>A third section, which no bus uses, may be the misspelt one.</summary>
    [Fact]
    public async Task Start_ThirdSectionNextToThoseOfTwoBuses_IsNamed()
    {
        using var host = Build(
            [new("BusB:Concurrency", "4"), new("BusX:Concurrency", "4")],
            (bus, all) =>
            {
                bus.UseInMemory().Configure(all.GetSection("BusA"));
                bus.Services.AddKeyedEventBus("second", other => other.UseInMemory().Configure(all.GetSection("BusB")));
            });

        var error = await Assert.ThrowsAsync<EventBusConfigurationException>(() => host.StartAsync(Token));

        Assert.Contains("'BusX'", Assert.Single(error.Problems), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_UnregisteredSubscriptionNextToAnUnreadableValue_IsReportedAtTheFirstStart()
    {
        using var host = Build(
            [
                new("EventBus:MaxDepth", "deep"),
                new("EventBus:Subscriptions:mial:Concurrency", "2"),
                new("EventBus:Subscriptions:mail:Concurrency", "0"),
                new("EventBus:Redsi:ConnectionString", "x"),
            ],
            (bus, all) => bus.UseInMemory()
                .Configure(all.GetSection("EventBus"))
                .Subscribe<OrderPlaced>("mail", (_, _, _) => Task.CompletedTask));

        var error = await Assert.ThrowsAsync<EventBusConfigurationException>(() => host.StartAsync(Token));

        Assert.Equal(
            [
                "EventBusOptions.Subscriptions['mail'].Concurrency is 0; 1 to 1,000 are allowed.",
                "The configuration has settings for a subscription 'mial', which is not registered. Did you mean 'mail'?",
                "The key 'Redsi' in the section 'EventBus' is not a setting. Did you mean 'Redis'?",
                "The value of 'EventBus:MaxDepth' cannot be read; a whole number is expected.",
            ],
            error.Problems.Order(StringComparer.Ordinal));
    }

    private static IHost Build(IEnumerable<KeyValuePair<string, string?>> values, Action<EventBusBuilder, IConfiguration> configure)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration.AddInMemoryCollection(values);
        builder.Services.AddEventBus(bus => configure(bus, builder.Configuration));
        return builder.Build();
    }
}
