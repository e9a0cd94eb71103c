using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace EventBus.Architecture.Tests;

/// <summary>
/// Checks that awaited calls leave the synchronization context of the application. Otherwise an application that blocks
/// its only thread, like a desktop program, would deadlock.
/// </summary>
public sealed class CallerContextTests
{
    private static readonly Dictionary<SyntaxTree, SemanticModel> Models = SourceProject.All
        .SelectMany(project => project.Files.Select(file => (file, project.Compilation.GetSemanticModel(file)))).ToDictionary();

    [Fact]
    public void Methods_ThatApplicationsAwait_LeaveForeignContexts()
    {
        var entrances = Entrances().Distinct<IMethodSymbol>(SymbolEqualityComparer.Default).ToList();

        Assert.All(
            new[]
            {
                "BusClient.PublishAsync",
                "DeadLetterManager.ListAsync",
                "SagaClient.RunAsync",
                "BusHostedService.StartingAsync",
                "BusHost.DisposeAsync",
                "BusHealthCheck.CheckHealthAsync",
                "SagaManagerClient.RetryAsync",
                "DelayedEventManager.CancelAsync",
                "SubscriptionManager.PauseAsync",
                "EventBusIdleExtensions.WhenIdleAsync",
                "ConformanceSuite.RunAsync"
            },
            known => Assert.Contains(entrances, method => method.ShortName == known));
        Rule.NoOffenders(
            entrances.Where(method => !Leaves(method, new HashSet<IMethodSymbol>(SymbolEqualityComparer.Default)))
                .Select(method => $"{method.Where}: {method.ShortName}"),
            "These resume in the context of their caller, which may block its only thread. Begin with "
                + "await CallerContext.Leave():");
    }

    /// <summary>
    /// Returns the members that an application can await: public members, and members of objects that the container
    /// returns or disposes. Only the bus calls the base classes of transports and stores.
    /// </summary>
    private static IEnumerable<IMethodSymbol> Entrances()
    {
        var services = Registered().ToHashSet<ITypeSymbol>(SymbolEqualityComparer.Default);
        foreach (var type in SourceProject.All.SelectMany(project => project.Types)
            .Where(type => type.TypeKind is TypeKind.Class or TypeKind.Struct))
        {
            var isSeam = type.ContainingNamespace.Name is "Transports" or "Stores";
            var own = type.GetMembers().OfType<IMethodSymbol>().Where(method =>
                method is { MethodKind: MethodKind.Ordinary, IsAbstract: false, IsImplicitlyDeclared: false }
                    && method.ReturnType.IsAsyncResult);
            foreach (var method in own.Where(
                method => !isSeam && (method.IsOverride ? services.Contains(type.BaseType!) : method.IsPublic)))
            {
                yield return method;
            }

            foreach (var contract in type.AllInterfaces.Where(
                contract => IsHandedOut(contract, services) || (contract.Name is "IAsyncDisposable" && services.Contains(type))))
            {
                foreach (var method in contract.GetMembers()
                    .OfType<IMethodSymbol>()
                    .Where(member => member.ReturnType.IsAsyncResult)
                    .Select(type.FindImplementationForInterfaceMember)
                    .OfType<IMethodSymbol>())
                {
                    yield return method;
                }
            }
        }
    }

    private static bool IsHandedOut(ITypeSymbol contract, HashSet<ITypeSymbol> services) =>
        contract.Name == "IHealthCheck" || services.Contains(contract) || contract.AllInterfaces.Any(services.Contains);

    /// <summary>Returns the types of all services that the libraries register.</summary>
    private static IEnumerable<ITypeSymbol> Registered() =>
        SourceProject.All.SelectMany(project => project.Nodes<InvocationExpressionSyntax>())
            .Select(found => found.Model.GetSymbolInfo(found.Node).Symbol as IMethodSymbol)
            .Where(method => method is
            {
                ContainingType.Name: "ServiceCollectionServiceExtensions"
                or "ServiceCollectionDescriptorExtensions"
            } or { MethodKind: MethodKind.LocalFunction, Name: "AddService" })
            .SelectMany(method => method!.TypeArguments);

    private static bool Leaves(IMethodSymbol method, HashSet<IMethodSymbol> asked)
    {
        if (!asked.Add(method.OriginalDefinition))
        {
            return true;
        }

        return method.OriginalDefinition.DeclaringSyntaxReferences is { Length: > 0 } declarations
            && declarations.All(declaration => Leaves(declaration.GetSyntax(), asked));
    }

    private static bool Leaves(SyntaxNode method, HashSet<IMethodSymbol> asked)
    {
        var model = Models[method.SyntaxTree];
        foreach (var node in method.DescendantNodes(node => !IsOutside(node, model)))
        {
            if (node is AwaitExpressionSyntax awaiting)
            {
                // The first await determines where the method resumes.
                return awaiting.Expression.ToString() is "BackendTasks.SwitchToThreadPool()"
                    || model.GetTypeInfo(awaiting.Expression).Type is { Name: "ContextDeparture" };
            }

            if (node is InvocationExpressionSyntax call
                && !IsOutside(node, model)
                && model.GetSymbolInfo(call).Symbol is IMethodSymbol target
                && target.ReturnType.IsAsyncResult
                    && !((ITypeSymbol)target.ContainingType).IsTask && !Leaves(target, asked))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// Returns true if the call is made where <c>CallerContext</c> reports that there is no context to leave.
    /// </summary>
    private static bool IsOutside(SyntaxNode node, SemanticModel model) =>
        node.Parent is ConditionalExpressionSyntax either
            && either.WhenTrue == node
            && model.GetSymbolInfo(either.Condition).Symbol is IPropertySymbol { ContainingType.Name: "CallerContext" };
}
