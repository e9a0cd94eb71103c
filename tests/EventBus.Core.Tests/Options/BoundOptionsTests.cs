using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace EventBus;

public sealed class BoundOptionsTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("""{ "Concurency": 4 }""", "The key 'Concurency' in the section 'EventBus' is not a setting. Did you mean 'Concurrency'?")]
    [InlineData(
        """{ "Retry": { "MaxRetryAttempt": 4 } }""",
        "The key 'MaxRetryAttempt' in the section 'EventBus:Retry' is not a setting. Did you mean 'MaxRetryAttempts'?")]
    [InlineData(
        """{ "Subscription": { "mail": { "Concurrency": 4 } } }""",
        "The key 'Subscription' in the section 'EventBus' is not a setting. Did you mean 'Subscriptions'?")]
    [InlineData(
        """{ "Subscriptions": { "mail": { "HandlerTimout": "00:00:05" } } }""",
        "The key 'HandlerTimout' in the section 'EventBus:Subscriptions:mail' is not a setting. Did you mean 'HandlerTimeout'?")]
    [InlineData(
        """{ "Subscriptions": { "mail": { "Retry": { "Dealy": "00:00:05" } } } }""",
        "The key 'Dealy' in the section 'EventBus:Subscriptions:mail:Retry' is not a setting. Did you mean 'Delay'?")]
    [InlineData(
        """{ "Sagas": { "Wings": 2 } }""",
        "The key 'Wings' in the section 'EventBus:Sagas' is not a setting. The settings of this section are: Concurrency, Link, "
            + "PublishEvents, Retention, StepTimeout.")]
    [InlineData(
        """{ "Concurrency": { "Value": 2 } }""",
        "The key 'Concurrency' in the section 'EventBus' holds a section or a list; one value is expected.")]
    [InlineData("""{ "Retry": "often" }""", "The key 'Retry' in the section 'EventBus' holds one value; a section is expected.")]
    [InlineData(
        """{ "Retry": { "Delays": "00:00:01" } }""",
        "The key 'Delays' in the section 'EventBus:Retry' holds one value; a list is expected.")]
    [InlineData("""{ "MaxDepth": "deep" }""", "The value of 'EventBus:MaxDepth' cannot be read; a whole number is expected.")]
    [InlineData(
        """{ "Retry": { "Jitter": "some" } }""",
        "The value of 'EventBus:Retry:Jitter' cannot be read; a number such as 0.2 is expected.")]
    [InlineData(
        """{ "Retry": { "Delays": ["00:00:01", "soon"] } }""",
        "The value of 'EventBus:Retry:Delays:1' cannot be read; a time such as 00:00:30 is expected.")]
    [InlineData("""{ "FailFast": "Perhaps" }""", "The value of 'EventBus:FailFast' cannot be read; true or false is expected.")]
    [InlineData(
        """{ "Subscriptions": { "mail": { "Concurrency": "x" } } }""",
        "The value of 'EventBus:Subscriptions:mail:Concurrency' cannot be read; a whole number is expected.")]
    public async Task Start_MistakeInTheSection_IsNamed(string json, string problem)
    {
        var section = Section(json);

        var problems = await ProblemsAsync(
            bus => bus.UseInMemory().Configure(section).Subscribe<OrderPlaced>("mail", (_, _, _) => Task.CompletedTask));

        Assert.Equal([problem], problems);
    }

    [Fact]
    public async Task Start_SeveralErrors_AreReportedTogetherAndWithoutValues()
    {
        var section = Section(
            """
            {
              "Conncurrency": "s3cret", "MaxDepth": "s3cret",
              "InMemory": { "Capacity": "s3cret", "HandlerReserve": -1, "Reserve": "s3cret", "QueueFullMode": "s3cret" }
            }
            """);

        var problems = await ProblemsAsync(bus => bus
            .UseInMemory(section.GetSection("InMemory"))
            .Configure(section)
            .Configure(options => options.PublishTimeout = TimeSpan.Zero)
            .Subscribe("mail", s => s.Concurrency(0).On<OrderPlaced>((_, _, _) => Task.CompletedTask)));

        Assert.Equal(
            [
                "EventBusOptions.PublishTimeout is 00:00:00; 00:00:00.01 to 01:00:00 are allowed.",
                "InMemoryOptions.HandlerReserve is -1; 0 to 10,000,000 are allowed.",
                "Subscription 'mail'.Concurrency is 0; 1 to 1,000 are allowed.",
                "The key 'Conncurrency' in the section 'EventBus' is not a setting. Did you mean 'Concurrency'?",
                "The key 'Reserve' in the section 'EventBus:InMemory' is not a setting. The settings of this section are: Capacity, "
                    + "HandlerReserve, QueueFullMode, RoundTrip, StoreCapacity.",
                "The value of 'EventBus:InMemory:Capacity' cannot be read; a whole number is expected.",
                "The value of 'EventBus:InMemory:QueueFullMode' cannot be read; Wait or Fail is expected.",
                "The value of 'EventBus:MaxDepth' cannot be read; a whole number is expected.",
            ],
            problems.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Start_SectionsOfBackends_AreNoErrors()
    {
        var section =
            Section("""{ "Concurrency": 4, "Redis": { "ConnectionString": "x" }, "Backends": { "Memory": { "Capacity": 7 } } }""");

        await using var running =
            await RunningBus.StartAsync(bus => bus.UseInMemory(section.GetSection("Backends:Memory")).Configure(section));

        Assert.Equal(7, OptionsOf<InMemoryOptions>(running.Services).Capacity);
    }

    [Fact]
    public void Bind_Lists_ReplaceThoseSetInCode()
    {
        var section =
            Section("""{ "Retry": { "Delays": ["00:00:07"] }, "Subscriptions": { "mail": { "Retry": { "Delays": ["00:00:09"] } } } }""");
        using var host = RunningBus.Build(bus => bus.UseInMemory()
            .Retry(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2))
            .Configure(o => o.Subscriptions["mail"] = new SubscriptionOptions { Retry = { Delays = [TimeSpan.Zero] } })
            .Configure(section));

        var options = OptionsOf<EventBusOptions>(host.Services);

        Assert.Equal([TimeSpan.FromSeconds(7)], options.Retry.Delays);
        Assert.Equal([TimeSpan.FromSeconds(9)], options.Subscriptions["mail"].Retry.Delays);
    }

    private static T OptionsOf<T>(IServiceProvider services, string name = "") =>
        services.GetRequiredService<IOptionsMonitor<T>>().Get(name);

    private static IConfigurationSection Section(string json) =>
        new ConfigurationBuilder().AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes($$"""{ "EventBus": {{json}} }""")))
            .Build()
            .GetSection("EventBus");

    private static async Task<IReadOnlyList<string>> ProblemsAsync(Action<EventBusBuilder> configure)
    {
        using var host = RunningBus.Build(configure);
        return (await Assert.ThrowsAsync<EventBusConfigurationException>(() => host.StartAsync(Token))).Problems;
    }
}
