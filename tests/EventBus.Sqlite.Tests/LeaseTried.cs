using EventBus.Stores;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using static EventBus.Sqlite.Tests.TestStores;

namespace EventBus.Sqlite.Tests;

[EventName("lease.tried")]
public sealed record LeaseTried(int Number);
