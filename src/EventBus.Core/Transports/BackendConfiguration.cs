using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace EventBus.Transports;

/// <summary>
/// Configures the options of a backend or a store on one bus, as named options of the application: the name is the key
/// of the bus. Used by the method that adds the backend to a bus.
/// </summary>
/// <remarks>
/// The application can change the options with <c>services.Configure</c> and <c>services.PostConfigure</c>. They are
/// created and checked when the bus starts, once. Their mistakes are reported together with those of the bus.
/// </remarks>
/// <typeparam name="TOptions">The type of the options.</typeparam>
public sealed class BackendConfiguration<[DynamicallyAccessedMembers(
    DynamicallyAccessedMemberTypes.PublicProperties | DynamicallyAccessedMemberTypes.PublicParameterlessConstructor)] TOptions>
    where TOptions : class, new()
{
    private readonly IServiceCollection services;
    private readonly string name;
    private readonly List<BoundSection<TOptions>> sections = [];

    /// <summary>Adds the options to the services of an application.</summary>
    /// <param name="services">The services (<see cref="EventBusBuilder.Services"/>).</param>
    /// <param name="key">The key of the bus (<see cref="EventBusBuilder.Key"/>); null for the default bus.</param>
    /// <param name="validator">
    /// Checks the options, usually generated with <see cref="OptionsValidatorAttribute"/>. Its parameter <c>name</c> is
    /// always null.
    /// </param>
    public BackendConfiguration(IServiceCollection services, string? key, IValidateOptions<TOptions> validator)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(validator);
        this.services = services;
        name = key ?? Options.DefaultName;
        services.AddOptions().AddSingleton<IValidateOptions<TOptions>>(new Check(this, validator));
    }

    /// <summary>Adds a change of the options.</summary>
    /// <param name="configure">
    /// Changes the options. Runs once, when the bus starts, in the order of the calls. Null for none.
    /// </param>
    public BackendConfiguration<TOptions> Configure(Action<TOptions>? configure)
    {
        if (configure is not null)
        {
            services.Configure(name, configure);
        }

        return this;
    }

    /// <summary>
    /// Binds a configuration section to the options. Unknown keys and values that cannot be converted are mistakes.
    /// </summary>
    /// <param name="section">The section.</param>
    /// <param name="bind">
    /// Binds a section to the options: <c>static (section, options) => section.Bind(options)</c>. Passed by the
    /// assembly of the options, so that the source generator of the configuration binder can generate its code.
    /// </param>
    public BackendConfiguration<TOptions> Bind(IConfiguration section, Action<IConfiguration, TOptions> bind)
    {
        ArgumentNullException.ThrowIfNull(section);
        ArgumentNullException.ThrowIfNull(bind);
        var bound = new BoundSection<TOptions>(section, OptionsKeys.Of<TOptions>(), bind);
        sections.Add(bound);
        services.AddSingleton(bound.BoundPath);
        return Configure(bound.Bind);
    }

    /// <summary>Returns the options, the same object at each call.</summary>
    /// <param name="provider">The services of the application.</param>
    /// <exception cref="OptionsValidationException">The options have mistakes.</exception>
    public TOptions Get(IServiceProvider provider)
    {
        ArgumentNullException.ThrowIfNull(provider);
        return provider.GetRequiredService<IOptionsMonitor<TOptions>>().Get(name);
    }

    private sealed class Check(BackendConfiguration<TOptions> owner, IValidateOptions<TOptions> validator) : IValidateOptions<TOptions>
    {
        public ValidateOptionsResult Validate(string? name, TOptions options)
        {
            if (name != owner.name)
            {
                return ValidateOptionsResult.Skip;
            }

            List<string> failures = [
                .. owner.sections.SelectMany(section => section.Problems(BoundPath.TestFor(owner.services))),
                .. validator.Validate(null, options).Failures ?? []
            ];
            return failures.Count > 0 ? ValidateOptionsResult.Fail(failures) : ValidateOptionsResult.Success;
        }
    }
}
