using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace EventBus;

public sealed class NamedOptionsTests
{
    [Fact]
    public async Task Options_OfTwoKeyedBuses_AreSeparate()
    {
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory(),
            services: services => services
                .AddKeyedEventBus("billing", bus => bus.UseInMemory(options => options.Capacity = 7))
                .AddKeyedEventBus("mail", bus => bus.UseInMemory(Section(("Capacity", "8"))))
                .Configure<InMemoryOptions>("mail", options => options.HandlerReserve = 9));

        var options = running.Services.GetRequiredService<IOptionsMonitor<InMemoryOptions>>();

        Assert.Equal((10_000, 1_000), (options.CurrentValue.Capacity, options.CurrentValue.HandlerReserve));
        Assert.Equal((7, 1_000), (options.Get("billing").Capacity, options.Get("billing").HandlerReserve));
        Assert.Equal((8, 9), (options.Get("mail").Capacity, options.Get("mail").HandlerReserve));
    }

    [Fact]
    public async Task Options_ErrorsOfAnotherBus_AreNotReportedTwice()
    {
        using var host = RunningBus.Build(
            bus => bus.UseInMemory(options => options.Capacity = 0),
            services: services => services.AddKeyedEventBus("billing", bus => bus.UseInMemory(options => options.Capacity = -1)));

        var error = await Assert.ThrowsAnyAsync<Exception>(() => host.StartAsync(TestContext.Current.CancellationToken));

        var problem = Assert.Single(Assert.IsType<EventBusConfigurationException>(error).Problems);
        Assert.Contains("InMemoryOptions.Capacity is", problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PostConfigure_OfATest_IsAppliedLast()
    {
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory(Section(("Capacity", "8"))).Configure(options => options.Concurrency = 4),
            services: services => services.Configure<InMemoryOptions>(options => options.Capacity = 5)
                .PostConfigure<InMemoryOptions>(options => options.Capacity++)
                .PostConfigure<EventBusOptions>(options => options.Concurrency = 3));

        Assert.Equal(9, running.Services.GetRequiredService<IOptions<InMemoryOptions>>().Value.Capacity);
        Assert.Equal(3, running.Services.GetRequiredService<IOptions<EventBusOptions>>().Value.Concurrency);
    }

    [Fact]
    public async Task Action_OfABackend_RunsOnceForEachBus()
    {
        var runs = new Seen();
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory(_ => runs.Add("default")),
            services: services => services.AddKeyedEventBus(
                "billing",
                bus => bus.UseInMemory(_ => runs.Add("billing")).StoreInMemory(_ => runs.Add("store"))));

        Assert.Equal(["billing", "default", "store"], runs.Items.Order(StringComparer.Ordinal));
    }

    private static IConfiguration Section(params (string Key, string Value)[] values) =>
        new ConfigurationBuilder().AddInMemoryCollection(values.ToDictionary(value => $"Bus:{value.Key}", value => (string?)value.Value))
            .Build()
            .GetSection("Bus");
}
