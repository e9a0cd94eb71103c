using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Mistakes;

/// <summary>Runs the code of docs/mistakes.md, "Duplicates".</summary>
public sealed class DuplicatesTests
{
    private const int Accounts = 2_000;

    private readonly Ledger ledger = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Payments_DeliveredTwice_AreCreditedTwice()
    {
        await PublishTwiceAsync(
            bus =>
            {
                #region wrong
                bus.Subscribe<PaymentReceived, CreditAccount>();
                #endregion
            },
            copiesHaveTheSameId: true);

        Assert.Equal((Accounts, 20m, 20m), ledger.Balances());
    }

    [Fact]
    public async Task Payments_DeliveredTwiceToAnIdempotentSubscription_AreCreditedOnce()
    {
        await PublishTwiceAsync(
            bus =>
            {
                #region right
                bus.Subscribe<PaymentReceived, CreditAccount>(s => s.Idempotent());
                #endregion
            },
            copiesHaveTheSameId: true);

        Assert.Equal((Accounts, 10m, 10m), ledger.Balances());
    }

    [Fact]
    public async Task Payments_PublishedTwiceWithNewIds_AreRecognizedByTheirKey()
    {
        await PublishTwiceAsync(
            bus =>
            {
                #region right-by-key
                bus.Subscribe<PaymentReceived, CreditAccount>(
                    s => s.Idempotent(o => o.KeyedBy<PaymentReceived>(payment => payment.PaymentId)));
                #endregion
            },
            copiesHaveTheSameId: false);

        Assert.Equal((Accounts, 10m, 10m), ledger.Balances());
    }

    /// <summary>Publishes a payment of 10 for each account, and then all of them again.</summary>
    private async Task PublishTwiceAsync(Action<EventBusBuilder> configure, bool copiesHaveTheSameId)
    {
        await using var running = await RunningBus.StartAsync(
            bus => configure(bus.UseInMemory()),
            services: services => services.AddSingleton(ledger));
        for (var i = 0; i < 2 * Accounts; i++)
        {
            var number = i % Accounts;
            await running.Bus.PublishAsync(
                new PaymentReceived($"payment-{number}", $"account-{number}", 10m),
                copiesHaveTheSameId ? new PublishOptions { EventId = $"payment-{number}" } : null,
                Token);
        }

        await running.WhenIdleAsync();
    }

    public sealed record PaymentReceived(string PaymentId, string Account, decimal Amount);

    #region handler
    public sealed class CreditAccount(Ledger ledger) : IEventHandler<PaymentReceived>
    {
        public Task HandleAsync(PaymentReceived payment, EventContext context, CancellationToken cancellationToken)
        {
            ledger.Add(payment.Account, payment.Amount);
            return Task.CompletedTask;
        }
    }
    #endregion

    /// <summary>Keeps the balances of the accounts. Thread-safe.</summary>
    public sealed class Ledger
    {
        private readonly ConcurrentDictionary<string, decimal> balances = new(StringComparer.Ordinal);

        public void Add(string account, decimal amount) => balances.AddOrUpdate(account, amount, (_, balance) => balance + amount);

        /// <summary>Returns the number of accounts, and the lowest and the highest balance.</summary>
        public (int Count, decimal Lowest, decimal Highest) Balances() =>
            (balances.Count, balances.Values.Min(), balances.Values.Max());
    }
}
