using System.Collections.Concurrent;
using EventBus.Conformance;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EventBus.Kafka.Tests;

/// <summary>Tests the call of an operator for a replay, with a bus and an idempotent subscription.</summary>
[NeedsBroker]
public sealed class ReplayBusTests
{
    private readonly string name = TestBroker.NewName();
    private readonly ConcurrentQueue<string> handled = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, InlineData(false), InlineData(true)]
    public async Task Replay_OfAnIdempotentSubscription_HandlesItsEventsOnceMoreAndLogsIt(bool ordered)
    {
        using var log = new LogList();
        using var host = Build(log, ordered);
        await host.StartAsync(Token);
        var bus = host.Services.GetRequiredService<IEventBus>();
        await bus.PublishAsync(new CratePacked(1), new PublishOptions { Key = "k" }, Token);
        await bus.PublishAsync(new CratePacked(2), new PublishOptions { Key = "k" }, Token);
        await HandledAsync(2);

        var manager = host.Services.GetRequiredService<ISubscriptionManager>();
        var number = await ReplayRecipe.ReplayAsync(manager, TimeProvider.System.GetUtcNow().AddDays(-1), Token);
        await HandledAsync(4);
        await bus.PublishAsync(new CratePacked(3), new PublishOptions { Key = "k" }, Token);
        await HandledAsync(5);
        await host.StopAsync(Token);

        Assert.Equal(["1", "2", "1 replay", "2 replay", "3"], handled);
        Assert.Single(log.Texts, text => text.Contains($"started the replay {number} of mail", StringComparison.Ordinal));
    }

    private Task HandledAsync(int count) => Until.TrueAsync($"{count} events are handled", () => handled.Count >= count, Token);

    private IHost Build(LogList log, bool ordered)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.AddProvider(log);
        builder.Services.AddEventBus(bus => bus
            .UseKafka(options =>
            {
                options.ConnectionString = TestBroker.Address;
                options.TopicFormat = $"{name}-{{word}}-events";
                options.ConfigureClient(TestBroker.SignIn);
            })
            .StoreInMemory()
            .Configure(options => options.ServiceName = name)
            .Subscribe("mail", s =>
            {
                s.On<CratePacked>((crate, context, _) =>
                {
                    handled.Enqueue($"{crate.Number}{(context.IsReplay ? " replay" : "")}");
                    return Task.CompletedTask;
                }).Idempotent().Concurrency(1);
                if (ordered)
                {
                    s.Ordered();
                }
            }));
        return builder.Build();
    }
}
