using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EventBus.Proof;

/// <summary>
/// The publishing application, in the process of the harness, which is never killed. Records the outcome of each event.
/// </summary>
internal sealed class Publishing : IAsyncDisposable
{
    private const int Window = 512;

    private static readonly TimeSpan PublishPause = TimeSpan.FromMilliseconds(50);

    private readonly IHost host;
    private readonly IEventBus bus;
    private readonly long[] publishedAt;
    private long longest;
    private int settled;

    private Publishing(IHost host, int events)
    {
        (this.host, bus) = (host, host.Services.GetRequiredService<IEventBus>());
        (Outcomes, publishedAt) = (new Outcome[events], new long[events]);
    }

    /// <summary>The outcome of each number. An accepted copy outweighs one that was not.</summary>
    public Outcome[] Outcomes { get; }

    /// <summary>The time at which the first copy of each number was sent, on the clock of the journals.</summary>
    public IReadOnlyList<long> PublishedAt => publishedAt;

    /// <summary>The number of completed calls.</summary>
    public int Settled => Volatile.Read(ref settled);

    /// <summary>The duration of the longest call.</summary>
    public TimeSpan LongestCall => TimeSpan.FromTicks(Interlocked.Read(ref longest));

    /// <param name="settings">The settings of the backend.</param>
    /// <param name="declare">Declares the published events.</param>
    /// <param name="events">The number of events; their numbers begin at 0.</param>
    public static async Task<Publishing> StartAsync(VictimSettings settings, Action<EventBusBuilder> declare, int events)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddEventBus(bus =>
        {
            Buses.AddBackend(bus, settings);
            declare(bus);
            bus.Configure(options => options.Consume = false);
        });
        var host = builder.Build();
        await host.StartAsync();
        return new Publishing(host, events);
    }

    /// <summary>Publishes events in the order of the list, several at a time.</summary>
    /// <param name="events">The events, each with its number.</param>
    /// <param name="atOnce">
    /// The maximum number of concurrent calls. After a refusal the publisher pauses before the next call.
    /// </param>
    public async Task PublishAsync<TEvent>(IEnumerable<(long Number, TEvent Event)> events, int atOnce = Window)
        where TEvent : notnull
    {
        foreach (var window in events.Chunk(atOnce))
        {
            var outcomes = await Task.WhenAll(window.Select(item => PublishAsync(item.Number, item.Event)));
            if (outcomes.Contains(Outcome.Failed))
            {
                await RealTime.PassAsync(PublishPause);
            }
        }
    }

    /// <summary>Publishes one event, and returns its outcome.</summary>
    public async Task<Outcome> PublishAsync<TEvent>(long number, TEvent @event)
        where TEvent : notnull
    {
        Outcome outcome;
        var begun = Stopwatch.GetTimestamp();
        publishedAt[number] = publishedAt[number] == 0 ? Stopwatch.GetTimestamp() : publishedAt[number];
        try
        {
            await bus.PublishAsync(@event, new PublishOptions { EventId = Numbers.ToId(number) });
            outcome = Outcome.Accepted;
        }
        catch (PublishException exception)
        {
            outcome = exception.Failure == PublishFailure.InDoubt ? Outcome.InDoubt : Outcome.Failed;
        }

        lock (publishedAt)
        {
            longest = Math.Max(longest, Stopwatch.GetElapsedTime(begun).Ticks);
            settled++;
            Outcomes[number] = (Outcomes[number], outcome) switch
            {
                (Outcome.Accepted, _) or (_, Outcome.Accepted) => Outcome.Accepted,
                (Outcome.InDoubt, _) or (_, Outcome.InDoubt) => Outcome.InDoubt,
                _ => outcome,
            };
        }

        return outcome;
    }

    public async ValueTask DisposeAsync()
    {
        await host.StopAsync();
        host.Dispose();
    }
}
